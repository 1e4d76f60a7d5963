"""What happens when something is full, away, forbidden, taken, or very large."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mount.conftest import plain_directory, watchdog
from tests.mount.driver import Mount, eventually, workspace
from tests.mount.programs import run
from tests.reachable import reachable_by_everybody

MIB = 1 << 20
NOBODY = 65534
PENDING = int(os.environ.get("CLOUDFS_TEST_PENDING", "100000"))


@contextlib.contextmanager
def small_disk(path: Path, mib: int) -> Iterator[Path]:
    """A file system of its own, that many MiB large."""
    path.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755", "small", path)
    try:
        yield path
    finally:
        run("umount", "-l", path)


@contextlib.contextmanager
def read_only(path: Path) -> Iterator[None]:
    run("mount", "--bind", path, path)
    try:
        run("mount", "-o", "remount,bind,ro", path)
        yield
    finally:
        run("umount", "-l", path)


def write_random(path: Path, mib: int, seed: int = 0) -> str:
    """A file that does not compress and is like no other; its digest."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(mib):
            block = hashlib.shake_128(b"%d %d" % (seed, number)).digest(MIB)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def error_of(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "OK"


# --- sizes -------------------------------------------------------------------------------------------------------


def test_a_file_larger_than_the_cache(mount_with: Callable[..., Mount]) -> None:
    mount = mount_with("cache_size=16MiB")
    written = write_random(mount.path / "big", 64)
    mount.wait()
    assert digest_of(mount.store / "big") == written
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert digest_of(mount.path / "big") == written
    cache = mount.status()["cache"]
    assert cache["used"] <= cache["limit"] == 16 * MIB
    with open(mount.path / "big", "r+b") as file:
        file.seek(40 * MIB)
        file.write(b"patched")
    mount.wait()
    assert digest_of(mount.store / "big") == digest_of(mount.path / "big") != written


def test_more_files_than_the_cache_holds(mount_with: Callable[..., Mount]) -> None:
    """Writers may have to wait for uploads, and are never told that there is no space."""
    mount = mount_with("cache_size=4MiB")
    written = [write_random(mount.path / f"f{number}", 2, number) for number in range(24)]
    assert [digest_of(mount.path / f"f{number}") for number in range(24)] == written
    mount.wait()
    assert [digest_of(mount.store / f"f{number}") for number in range(24)] == written
    assert mount.status()["cache"]["used"] <= 4 * MIB


def test_statfs_tells_the_numbers_of_the_store(mount: Mount) -> None:
    found, stored = os.statvfs(mount.path), os.statvfs(mount.store)
    assert found.f_namemax == 255
    assert found.f_blocks * found.f_frsize == pytest.approx(stored.f_blocks * stored.f_frsize, rel=0.01)
    assert found.f_bavail * found.f_frsize == pytest.approx(stored.f_bavail * stored.f_frsize, rel=0.05)


@pytest.mark.timeout(600)
def test_a_hundred_thousand_pending_files(mount_with: Callable[..., Mount]) -> None:
    """They take no longer to mount again than none, and little memory."""
    mount = mount_with()
    started = time.monotonic()
    mount.remount()
    without = time.monotonic() - started
    assert os.listdir(mount.path) == []
    away = mount.store.rename(mount.home / "away")
    for number in range(PENDING):
        if number % 1_000 == 0:
            directory = mount.path / f"d{number}"
            directory.mkdir()
        os.close(os.open(directory / f"f{number}", os.O_CREAT | os.O_WRONLY))
    status = mount.status()
    assert status["pending"]["files"] >= PENDING
    assert resident(status["pid"]) < 200 * MIB
    mount.kill()
    away.rename(mount.store)
    started = time.monotonic()
    mount.start()
    assert time.monotonic() - started < 2 * without + 1
    assert len(os.listdir(mount.path / "d0")) == min(PENDING, 1_000)
    assert resident(mount.status()["pid"]) < 200 * MIB


def resident(pid: int) -> int:
    """Bytes of memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


# --- full disks --------------------------------------------------------------------------------------------------


def test_a_full_disk_says_so_and_publishes_nothing_by_halves(mount_with: Callable[..., Mount]) -> None:
    with workspace() as home, small_disk(home / "disk", 24) as disk:
        mount = mount_with(state=disk / "state", cache=disk / "cache")
        (mount.path / "before").write_bytes(b"stored before")
        mount.wait()

        file = os.open(mount.path / "big", os.O_CREAT | os.O_WRONLY)
        calls = [lambda: os.write(file, os.urandom(MIB))] * 64 + [lambda: os.fsync(file)]
        failures = [outcome for outcome in map(error_of, calls) if outcome != "OK"]
        assert failures[:1] == ["ENOSPC"]
        assert error_of(lambda: os.close(file)) in ("OK", "ENOSPC", "EIO")
        assert (mount.path / "before").read_bytes() == b"stored before"
        stored = mount.store / "big"
        assert not stored.exists() or digest_of(stored) == digest_of(mount.path / "big")
        (mount.path / "big").unlink()
        (mount.path / "after").write_bytes(b"room again")
        mount.wait()
        assert sorted(path.name for path in mount.store.iterdir()) == ["after", "before"]
        mount.umount()


def test_a_full_store_parks_and_goes_on_when_there_is_room(mount_with: Callable[..., Mount]) -> None:
    mount = mount_with(started=False)
    mount.store.rmdir()
    with small_disk(mount.store, 8) as store:
        mount.start()
        (store / "ballast").write_bytes(b"x" * 6 * MIB)
        written = write_random(mount.path / "f", 4)
        eventually(lambda: [row["path"] for row in mount.status()["parked"]] in (["f"], ["/f"]))
        assert mount.status()["parked"][0]["reason"]
        assert not (store / "f").exists()
        assert digest_of(mount.path / "f") == written
        assert mount.command("wait", str(mount.path)).returncode == 1
        (store / "ballast").unlink()
        mount.succeed("retry", str(mount.path))
        mount.wait()
        assert digest_of(store / "f") == written
        mount.umount()


# --- what is forbidden -------------------------------------------------------------------------------------------


def test_a_read_only_store_says_so_at_once(mount_with: Callable[..., Mount]) -> None:
    mount = mount_with(started=False)
    (mount.store / "f").write_bytes(b"readable")
    with read_only(mount.store):
        mount.start()
        assert (mount.path / "f").read_bytes() == b"readable"
        for act in (
            lambda: (mount.path / "new").touch(),
            lambda: (mount.path / "d").mkdir(),
            lambda: (mount.path / "f").write_bytes(b"x"),
            lambda: (mount.path / "f").unlink(),
            lambda: (mount.path / "f").chmod(0o600),
            lambda: (mount.path / "f").rename(mount.path / "g"),
        ):
            assert error_of(act) in ("EROFS", "EACCES")
        mount.umount()


def test_a_store_that_becomes_read_only_keeps_what_is_pending(mount: Mount) -> None:
    with open(mount.path / "f", "wb") as file:
        file.write(b"not stored yet")
        file.flush()
        with read_only(mount.store):
            file.close()
            eventually(lambda: len(mount.status()["parked"]) == 1)
            assert (mount.path / "f").read_bytes() == b"not stored yet"
            mount.kill()
            mount.start()
            assert (mount.path / "f").read_bytes() == b"not stored yet"
            assert not (mount.store / "f").exists()
    mount.succeed("retry", str(mount.path))
    mount.wait()
    assert (mount.store / "f").read_bytes() == b"not stored yet"


def test_mounting_read_only(mount: Mount) -> None:
    (mount.path / "f").write_bytes(b"content")
    mount.remount("ro")
    assert (mount.path / "f").read_bytes() == b"content"
    assert error_of(lambda: (mount.path / "g").touch()) == "EROFS"
    assert error_of(lambda: (mount.path / "f").chmod(0)) == "EROFS"


def test_a_second_mount_of_the_same_state_says_so(mount: Mount) -> None:
    second = Mount(mount.home / "mnt2", state=mount.state)
    watch = watchdog(second)
    try:
        refused = second.try_start()
        assert refused.returncode != 0
        assert str(mount.state) in refused.stderr
        assert "Traceback" not in refused.stderr
        assert not second.mounted
        (mount.path / "f").write_bytes(b"the first goes on")
        mount.wait()
    finally:
        watch.cancel()
        second.dispose()


def test_mounting_twice_on_one_mountpoint_says_so(mount: Mount) -> None:
    refused = mount.try_start()
    assert refused.returncode != 0
    assert refused.stderr
    assert "Traceback" not in refused.stderr
    (mount.path / "f").write_bytes(b"the first goes on")
    mount.wait()


def test_umount_of_a_busy_mount_fails_and_keeps_it(mount: Mount) -> None:
    with open(mount.path / "f", "wb") as file:
        file.write(b"busy")
        refused = mount.command("umount", str(mount.path), "--timeout", "5")
        assert refused.returncode != 0
        assert mount.mounted
        file.write(b" and well")
    assert (mount.path / "f").read_bytes() == b"busy and well"


# --- the store is away -------------------------------------------------------------------------------------------


def test_a_store_that_is_away_leaves_what_is_known(mount_with: Callable[..., Mount]) -> None:
    mount = mount_with("dir_cache_time=1h")
    (mount.store / "unknown").mkdir()
    (mount.store / "unknown/f").touch()
    (mount.path / "known").mkdir()
    (mount.path / "known/f").write_bytes(b"cached")
    mount.wait()
    os.listdir(mount.path)
    away = mount.store.rename(mount.home / "away")
    assert (mount.path / "known/f").read_bytes() == b"cached"
    (mount.path / "known/g").write_bytes(b"written meanwhile")
    (mount.path / "known/f").rename(mount.path / "known/h")
    assert error_of(lambda: os.listdir(mount.path / "unknown")) == "EIO"
    assert not mount.store.exists(), "the driver made a store of its own"
    assert sorted(os.listdir(mount.path / "known")) == ["g", "h"]
    away.rename(mount.store)
    mount.succeed("flush", str(mount.path))
    mount.wait()
    assert (mount.store / "known/g").read_bytes() == b"written meanwhile"
    assert (mount.store / "known/h").read_bytes() == b"cached"
    assert os.listdir(mount.path / "unknown") == ["f"]


def test_sync_remote_means_stored(mount_with: Callable[..., Mount]) -> None:
    mount = mount_with("sync=remote")
    for number in range(5):
        (mount.path / "f").write_bytes(b"version %d" % number)
        assert (mount.store / "f").read_bytes() == b"version %d" % number
    with open(mount.path / "g", "wb") as file:
        file.write(b"synced")
        file.flush()
        os.fsync(file.fileno())
        assert (mount.store / "g").read_bytes() == b"synced"


# --- an ordinary user --------------------------------------------------------------------------------------------


@pytest.fixture
def open_device() -> Iterator[None]:
    """``/dev/fuse`` for everybody, as distributions have it, for as long as a test needs it."""
    before = os.stat("/dev/fuse").st_mode & 0o7777
    os.chmod("/dev/fuse", 0o666)
    try:
        yield
    finally:
        os.chmod("/dev/fuse", before)


AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@pytest.fixture
def humble(request: pytest.FixtureRequest, open_device: None) -> Iterator[Mount]:
    """A mount that nobody makes, with nothing but what fusermount3 gives."""
    if plain_directory(request.config):
        pytest.skip("needs a driver")
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with reachable_by_everybody(), workspace() as home:
        mount = Mount(home, environment={"HOME": str(home)}, prefix=AS_NOBODY)
        mount.environment.pop("XDG_RUNTIME_DIR", None)
        for path in (home, mount.path, mount.store, mount.state, mount.cache):
            os.chown(path, NOBODY, NOBODY)
        watch = watchdog(mount)
        try:
            yield mount
        finally:
            watch.cancel()
            mount.dispose()


def test_an_ordinary_user(humble: Mount) -> None:
    humble.start()

    def sh(script: str) -> str:
        return run(
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-ec", f"cd {humble.path}; {script}"
        )

    sh("mkdir d; echo content >d/f; ln d/f d/g; ln -s f d/s; chmod 640 d/f; touch -d 2001-02-03 d/f; mkfifo p")
    assert sh("cat d/g; stat -c '%a %u %h %Y' d/f").split("\n")[:2] == ["content", "640 65534 2 981158400"]
    humble.wait()
    assert (humble.store / "d/f").read_bytes() == b"content\n"
    assert (humble.store / "d/f").stat().st_uid == NOBODY
    humble.remount()
    assert sorted(sh("ls d").split()) == ["f", "g", "s"]
    humble.kill()
    humble.start()
    sh("echo more >>d/f; rm -r d p; echo end >e")
    humble.umount()
    assert sorted(path.name for path in humble.store.iterdir()) == ["e"]
