"""What is protected from whom: each sentence of docs/explanation/security.md that needs a mount to be seen."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.mount.driver import Mount
from tests.mount.test_limits import humble, open_device
from tests.servers.swift import SwiftCluster
from tests.stores.swift import Box
from tests.swift.site import Site

__all__ = ["humble", "open_device"]

MakeMount = Callable[..., Mount]


def mount_flags(mount: Mount) -> tuple[set[str], set[str]]:
    """Those of the mount, and those of the file system, as the kernel has them."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[4] == str(mount.path):
            return set(fields[5].split(",")), set(fields[-1].split(","))
    raise AssertionError("not mounted")


def everything(*roots: Path) -> Iterator[Path]:
    for root in roots:
        yield root
        yield from root.rglob("*")


def test_what_is_on_this_machine_is_for_its_owner_only(mount_with: MakeMount) -> None:
    mount = mount_with(started=False)
    runtime = mount.home / "runtime"
    mount.environment["CLOUDFS_RUNTIME_DIR"] = str(runtime)
    mount.prefix = ("sh", "-c", 'umask 0; exec "$0" "$@"')
    mount.start()
    (mount.path / "d").mkdir()
    (mount.path / "d/stored").write_bytes(b"stored" * 10_000)
    (mount.path / "d/stored").chmod(0o664)
    mount.wait()
    mount.empty_cache()
    (mount.path / "d/stored").read_bytes()
    away = mount.store.rename(mount.home / "away")
    (mount.path / "d/staged").write_bytes(b"staged")
    found = {path: stat.S_IMODE(path.lstat().st_mode) for path in everything(mount.state, mount.cache, runtime)}
    away.rename(mount.store)
    assert sum(path.is_file() for path in found) > 5
    assert any(path.is_socket() and mode == 0o600 for path, mode in found.items())
    open_to_others = {str(path): oct(mode) for path, mode in found.items() if mode & 0o077}
    assert open_to_others == {}
    assert stat.S_IMODE((mount.store / "d/stored").stat().st_mode) == 0o664, "what it is at the store is another matter"


def test_no_secret_is_told(swift_cluster: SwiftCluster, mount_with: MakeMount, tmp_path: Path) -> None:
    """Neither the password nor the token, in anything that others see or that stays."""
    site = Site(Box.make(swift_cluster), mount_with, tmp_path)
    swift = site.box.swift
    mount = site.mount("debug", started=False)
    runtime = mount.environment["CLOUDFS_RUNTIME_DIR"] = str(tmp_path / "runtime")
    # In an argument nobody would look for the word itself: the table of processes is everybody's.
    config = Path(mount.environment["CLOUDFS_CONFIG"])
    config.write_text(config.read_text().replace(f'"{swift.key}"', '"wrong-and-secret"'))
    refused = mount.try_start()
    assert refused.returncode == 1 and "wrong-and-secret" not in refused.stdout + refused.stderr
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text(f"{swift.key}\n")
    text = config.read_text().replace('key = "wrong-and-secret"', f'key_file = "{tmp_path}/key"')
    config.write_text(text)
    mount.start()
    (mount.path / "f").write_bytes(b"content")
    mount.wait()
    headers = {"X-Auth-User": swift.user, "X-Auth-Key": swift.key}
    token = httpx.get(swift.auth_url, headers=headers).headers["x-auth-token"]
    pid = mount.status()["pid"]
    told = {
        "arguments": Path(f"/proc/{pid}/cmdline").read_bytes(),
        "environment": Path(f"/proc/{pid}/environ").read_bytes(),
        **{name: _told(mount, *words) for name, words in ASKED.items()},
        **{
            str(path): path.read_bytes()
            for path in everything(mount.state, mount.cache, Path(runtime))
            if path.is_file()
        },
    }
    assert b"PUT " in told[str(mount.state / "cloudfs.log")], "the log has every request"
    for secret in (swift.key, "wrong-and-secret", token):
        assert [where for where, content in told.items() if secret.encode() in content] == []


def _told(mount: Mount, *words: str) -> bytes:
    """What is printed, also for others: some commands ask all mounts, and those of other tests may be dead."""
    done = mount.command(*words)
    assert done.stdout
    return (done.stdout + done.stderr).encode()


ASKED = {
    "status": ("status", "--json"),
    "metrics": ("status", "--prometheus"),
    "remote": ("remote", "show", "swift"),
    "pending": ("pending", "list", "--json"),
}


def test_a_configuration_with_a_secret_that_others_may_read_is_refused(mount_with: MakeMount) -> None:
    mount = mount_with(started=False)
    config = mount.home / "config.toml"
    config.write_text('[remote.x]\ntype = "swift"\nauth_url = "http://127.0.0.1/v1.0"\nuser = "a:b"\nkey = "hush"\n')
    config.chmod(0o644)
    done = mount.try_start()
    assert done.returncode == 1
    assert "others may read remote.x.key" in done.stderr and "chmod 600" in done.stderr
    assert "hush" not in done.stderr
    config.chmod(0o600)
    mount.start()


@pytest.mark.parametrize("options", [(), ("allow_other",)])
def test_permissions_are_always_checked(mount_with: MakeMount, options: tuple[str, ...]) -> None:
    mount = mount_with(started=False)
    mount.options = ()
    mount.start(*options)
    of_mount, of_kind = mount_flags(mount)
    assert "default_permissions" in of_kind
    assert ("allow_other" in of_kind) is bool(options)
    assert {"nosuid", "nodev"} <= of_mount


def test_root_may_have_suid_and_dev(mount_with: MakeMount) -> None:
    mount = mount_with(started=False)
    mount.options = ()
    mount.start("suid", "dev")
    assert not {"nosuid", "nodev"} & mount_flags(mount)[0]


def test_an_ordinary_user_gets_neither_suid_nor_dev_and_keeps_to_himself(humble: Mount) -> None:
    humble.start("suid", "dev")
    of_mount, of_kind = mount_flags(humble)
    assert {"nosuid", "nodev"} <= of_mount
    assert "default_permissions" in of_kind and "allow_other" not in of_kind
    looks = subprocess.run(
        ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "ls", str(humble.path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert looks.returncode != 0 and "Permission denied" in looks.stderr
    driver = Path(f"/proc/{humble.status()['pid']}")
    assert (driver / "environ").stat().st_uid == 0, "the kernel lets nobody but root look into it"
    assert "Max core file size        0                    0" in (driver / "limits").read_text()


def test_nobody_else_commands_a_mount(humble: Mount) -> None:
    """Not even who gets at the socket; root may."""
    runtime = humble.home / "runtime"
    humble.environment["CLOUDFS_RUNTIME_DIR"] = str(runtime)
    humble.start()
    [record] = (runtime / "mounts").glob("*.json")
    socket = json.loads(record.read_text())["socket"]
    os.chmod(runtime, 0o755)
    os.chmod(runtime / "mounts", 0o755)
    os.chmod(socket, 0o666)
    program = (
        "import sys; from pathlib import Path; from cloudfs.daemon.client import ControlClient;"
        f"ControlClient(Path({socket!r})).call('status')"
    )
    for user, allowed in ((1234, False), (65534, True), (0, True)):
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode == 0) is allowed, done.stderr
        assert allowed or "belongs to another user" in done.stderr
