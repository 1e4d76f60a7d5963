"""One container, several programs: what the mount stores is plain to them, and what they store the mount shows."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.mount.driver import Mount, eventually
from tests.swift.clients import Clients
from tests.swift.site import Site

SEGMENT = 1 << 20
SMALL_SEGMENTS = ('segment_size = "1MiB"',)
STAMP = 1_234_567_890_123_456_789
FILES = {
    "empty": b"",
    "small.txt": b"small",
    "dir/inner": b"inner" * 999,
    "dir/späte Größe €": "späte Größe €".encode(),
    "dir/ spaces & ?#%41+ ": b"strange",
    "one segment": random.Random(1).randbytes(SEGMENT),
    "large": random.Random(2).randbytes(3 * SEGMENT + 1),
}


@pytest.fixture
def clients(site: Site) -> Clients:
    return Clients(site.box.swift)


def write(root: Path, files: Mapping[str, bytes] = FILES) -> None:
    """Files, each with a time of its own."""
    for number, (name, content) in enumerate(sorted(files.items())):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
        os.utime(root / name, ns=(STAMP, STAMP + number * 1_000_000_001))


def stamp(name: str) -> int:
    return STAMP + sorted(FILES).index(name) * 1_000_000_001


def contents(root: Path) -> dict[str, bytes]:
    """All regular files below a directory."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def times(root: Path, unit: int = 1) -> dict[str, int]:
    return {name: (root / name).stat().st_mtime_ns // unit * unit for name in FILES}


@pytest.fixture
def stored(site: Site) -> Mount:
    """A mount that has stored the files, and what else a directory may have in it."""
    mount = site.mount(settings=SMALL_SEGMENTS)
    write(mount.path)
    (mount.path / "nothing in it").mkdir()
    os.symlink("dir/inner", mount.path / "symlink")
    os.mkfifo(mount.path / "fifo")
    os.link(mount.path / "large", mount.path / "dir/large too")
    os.chmod(mount.path / "dir/inner", 0o4711)
    mount.wait()
    return mount


OTHERS = {"fifo": b"", "symlink": b"dir/inner", "dir/large too": FILES["large"]}
"""What is neither a file nor a directory is a small object to others; a hard link is a copy."""


# --- what the mount stores ---------------------------------------------------------------------------------------


def test_swiftclient_fetches_what_the_mount_stored(stored: Mount, site: Site, clients: Clients, tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    clients.swiftclient("download", site.box.container, "--prefix", f"{site.prefix}/", "--remove-prefix", cwd=found)
    assert contents(found) == {**FILES, **OTHERS}
    assert (found / "nothing in it").is_dir()
    assert times(found, 10**9) == {name: stamp(name) // 10**9 * 10**9 for name in FILES}


def test_rclone_fetches_what_the_mount_stored(stored: Mount, site: Site, clients: Clients, tmp_path: Path) -> None:
    found = tmp_path / "found"
    source = f"swift:{site.box.container}/{site.prefix}"
    clients.rclone("copy", source, found)
    assert contents(found) == {**FILES, **OTHERS}
    assert times(found) == {name: stamp(name) for name in FILES}
    clients.rclone("check", "--download", "--one-way", found, source)


def test_the_time_is_where_both_look_for_it(stored: Mount, site: Site) -> None:
    with site.raw() as raw:
        for name in FILES:
            told = raw("HEAD", site.name(name)).headers["x-object-meta-mtime"]
            assert told == f"{stamp(name) // 10**9}.{stamp(name) % 10**9:09d}", name
        assert raw("HEAD", site.name("large")).headers["x-static-large-object"] == "True"


def test_the_container_has_nothing_but_the_tree_in_it(stored: Mount, site: Site) -> None:
    with site.raw() as raw:
        names = {*FILES, *OTHERS, "dir", "nothing in it"}
        assert set(raw.names()) == {site.prefix, *(site.name(name) for name in names)}


# --- what others store -------------------------------------------------------------------------------------------


def test_the_mount_shows_what_rclone_stored(site: Site, clients: Clients, tmp_path: Path) -> None:
    write(tmp_path / "tree")
    clients.rclone("copy", "--swift-chunk-size=1Mi", tmp_path / "tree", f"swift:{site.box.container}/{site.prefix}")
    mount = site.mount()
    assert contents(mount.path) == FILES
    assert times(mount.path) == {name: stamp(name) for name in FILES}


@pytest.mark.parametrize("large", [("--segment-size", str(SEGMENT)), ("-S", str(SEGMENT), "--use-slo"), ()])
def test_the_mount_shows_what_swiftclient_stored(
    site: Site, clients: Clients, tmp_path: Path, large: tuple[str, ...]
) -> None:
    tree = tmp_path / "tree"
    write(tree)
    (tree / "nothing in it").mkdir()
    clients.swiftclient("upload", site.box.container, *large, "--object-name", site.prefix, ".", cwd=tree)
    mount = site.mount()
    assert contents(mount.path) == FILES
    rounded = {name: float(f"{stamp(name) / 1e9:f}") for name in FILES}
    assert {name: found / 1e9 for name, found in times(mount.path).items()} == rounded
    assert (mount.path / "nothing in it").is_dir()


def put_dynamic(site: Site, name: str, content: bytes) -> None:
    """As clients did before there were static large objects."""
    segments = f"{site.box.container}_segments"
    with site.raw() as raw:
        raw("PUT", container=segments)
        for at in range(0, len(content), SEGMENT):
            raw("PUT", f"{name}/{at:08x}", content[at : at + SEGMENT], container=segments)
        raw("PUT", site.name(name), X_Object_Manifest=f"{segments}/{name}/", X_Object_Meta_Colour="blue")


def test_dynamic_large_objects_of_others(site: Site) -> None:
    """Shown, kept through a change of attributes, and gone with their segments when something else takes the name."""
    put_dynamic(site, "dynamic", FILES["large"])
    put_dynamic(site, "other", FILES["large"])
    mount = site.mount(settings=SMALL_SEGMENTS)
    assert (mount.path / "dynamic").read_bytes() == FILES["large"]
    (mount.path / "dynamic").chmod(0o600)
    mount.wait()
    with site.raw() as raw:
        head = raw("HEAD", site.name("dynamic"))
        assert (int(head.headers["content-length"]), head.headers["x-object-meta-colour"]) == (3 * SEGMENT + 1, "blue")
    with open(mount.path / "dynamic", "r+b") as file:
        file.seek(100)
        file.write(b"changed")
    (mount.path / "other").unlink()
    mount.wait()
    with site.raw() as raw:
        changed = FILES["large"][:100] + b"changed" + FILES["large"][107:]
        assert raw("GET", site.name("dynamic")).content == changed
        left = [name for name in raw.names(f"{site.box.container}_segments") if not name.startswith("cloudfs")]
        assert left == []


@pytest.mark.parametrize("spelling", ["dir", "dir/"])
@pytest.mark.parametrize("kind", ["application/directory", "application/directory; charset=UTF-8", "text/directory"])
def test_markers_of_directories(site: Site, spelling: str, kind: str) -> None:
    with site.raw() as raw:
        raw("PUT", site.name(spelling), Content_Type=kind, X_Object_Meta_Mtime="1234567890.5")
        raw("PUT", site.name(spelling.replace("dir", "full")), Content_Type=kind)
        raw("PUT", site.name("full/file"), b"content")
    mount = site.mount()
    assert sorted(os.listdir(mount.path)) == ["dir", "full"]
    assert os.listdir(mount.path / "dir") == []
    assert (mount.path / "dir").stat().st_mtime_ns == 1_234_567_890_500_000_000
    assert (mount.path / "full/file").read_bytes() == b"content"
    (mount.path / "dir").rmdir()
    (mount.path / "full/file").unlink()
    (mount.path / "full").rmdir()
    mount.wait()
    with site.raw() as raw:
        assert [name for name in raw.names() if name != site.prefix] == []


def test_directories_that_only_names_tell_of(site: Site) -> None:
    with site.raw() as raw:
        raw("PUT", site.name("a/b/c"), b"content")
        raw("PUT", site.name("a-b"), b"sorts in between")
    mount = site.mount()
    assert contents(mount.path) == {"a/b/c": b"content", "a-b": b"sorts in between"}
    (mount.path / "a/b").rename(mount.path / "moved")
    mount.wait()
    with site.raw() as raw:
        assert raw("GET", site.name("moved/c")).content == b"content"


def test_news_of_others_arrive_while_mounted(site: Site, clients: Clients, tmp_path: Path) -> None:
    mount = site.mount("dir_cache_time=1")
    write(mount.path, {"kept": b"kept", "changed": b"ours"})
    mount.wait()
    write(tmp_path, {"changed": b"changed by rclone", "new": b"new"})
    clients.rclone("copy", tmp_path, f"swift:{site.box.container}/{site.prefix}")
    eventually(lambda: (mount.path / "new").exists())
    eventually(lambda: (mount.path / "changed").read_bytes() == b"changed by rclone")
    assert (mount.path / "kept").read_bytes() == b"kept"
