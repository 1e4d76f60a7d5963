"""What goes on through death: of the driver in the middle of an upload, and of the sign-in under load."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.onedrive.browser import agree
from tests.emulators.running import Running
from tests.mount.driver import Mount, eventually
from tests.stores.onedrive import Account

MIB = 1 << 20
FRAGMENT = 1_310_720
"""Bytes; four times 320 KiB."""
SMALL_FRAGMENTS = f'fragment = "{FRAGMENT // 1024}KiB"\n'


def sessions(onedrive: Running, name: str) -> list[dict[str, Any]]:
    return [found for found in onedrive.control("sessions", "GET") if found["name"] == name]


def log_in(mount: Mount) -> str:
    """``cloudfs login`` as it is, with somebody who reads the page off the terminal and pastes what they get."""
    command = [sys.executable, "-m", "cloudfs", "login", "onedrive", "--browser"]
    person = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=mount.environment, cwd="/"
    )
    with person as process:
        assert process.stdin is not None
        assert process.stdout is not None
        page = next(line.strip() for line in process.stdout if line.startswith("http"))
        process.stdin.write(agree(page) + "\n")
        process.stdin.close()
        said = process.stdout.read()
    assert process.returncode == 0, said
    return said


# --- uploads ---------------------------------------------------------------------------------------------------------


def test_an_upload_goes_on_after_kill_9(
    onedrive: Running, account: Account, mounting: Callable[..., Mount], request: pytest.FixtureRequest
) -> None:
    """At most one fragment is sent twice: the one that was on its way."""
    name = request.node.name
    mount = mounting(account, settings=SMALL_FRAGMENTS)
    onedrive.control("trouble", do="delay", match="PUT /upload", times=1000, seconds=0.2)
    content = os.urandom(16 * MIB)
    (mount.path / name).write_bytes(content)
    eventually(lambda: any(found["received"] > 5 * MIB for found in sessions(onedrive, name)), within=30)
    mount.kill()
    onedrive.control("trouble", "DELETE")
    (begun,) = sessions(onedrive, name)
    assert begun["received"] < len(content), "it was too quick to be interrupted"
    mount.start()
    mount.wait()
    (ended,) = sessions(onedrive, name)
    assert ended["received"] == len(content)
    assert ended["arrived"] <= len(content) + FRAGMENT
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert (mount.path / name).read_bytes() == content


def test_an_upload_whose_session_is_gone_after_the_reboot_begins_again(
    onedrive: Running, account: Account, mounting: Callable[..., Mount], request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    mount = mounting(account, settings=SMALL_FRAGMENTS)
    onedrive.control("trouble", do="delay", match="PUT /upload", times=1000, seconds=0.2)
    content = os.urandom(8 * MIB)
    (mount.path / name).write_bytes(content)
    eventually(lambda: any(found["received"] > 2 * MIB for found in sessions(onedrive, name)), within=30)
    mount.kill()
    onedrive.control("trouble", "DELETE")
    onedrive.control("expire", what="sessions")
    mount.start()
    mount.wait()
    assert account.tree()[name]["size"] == len(content)
    assert len(sessions(onedrive, name)) == 2


# --- the sign-in -----------------------------------------------------------------------------------------------------


class Load:
    """Somebody who goes on writing files, whatever happens."""

    def __init__(self, directory: Path) -> None:
        self.written: dict[str, str] = {}
        self._directory = directory
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._over.is_set():
            name, content = f"load{len(self.written)}", os.urandom(10_000)
            (self._directory / name).write_bytes(content)
            self.written[name] = hashlib.sha256(content).hexdigest()
            self._over.wait(0.05)


def test_a_sign_in_that_dies_under_load_is_repaired_without_remounting(
    onedrive: Running, account: Account, mounting: Callable[..., Mount]
) -> None:
    mount = mounting(account)
    (mount.path / "before").write_bytes(b"before")
    mount.wait()
    pid = mount.status()["pid"]
    with Load(mount.path) as load:
        eventually(lambda: len(load.written) > 20)
        for what in ("access", "refresh"):
            onedrive.control("revoke", what=what)
        eventually(lambda: mount.status()["state"] == "sign-in required")
        status = mount.status()
        assert "cloudfs login onedrive" in status["reason"]
        assert status["since"] <= status["oldest"] + 3600
        assert "sign-in required" in mount.succeed("status", str(mount.path))
        assert mount.command("check", str(mount.path)).returncode == 2
        assert (mount.path / "before").read_bytes() == b"before"
        so_far = len(load.written)
        eventually(lambda: len(load.written) > so_far + 20)
        assert f"{mount.path} goes on" in log_in(mount)
    mount.wait()
    assert (mount.status()["state"], mount.status()["pid"]) == ("online", pid)
    mount.umount()
    mount.forget_everything()
    mount.start()
    found = {name: hashlib.sha256((mount.path / name).read_bytes()).hexdigest() for name in load.written}
    assert found == load.written


def test_a_sign_in_that_died_before_the_mount(
    onedrive: Running, account: Account, mounting: Callable[..., Mount]
) -> None:
    mount = mounting(account)
    (mount.path / "before").write_bytes(b"before")
    mount.umount()
    for what in ("access", "refresh"):
        onedrive.control("revoke", what=what)
    mount.start()
    eventually(lambda: mount.status()["state"] == "sign-in required")
    assert os.listdir(mount.path) == ["before"]
    (mount.path / "meanwhile").write_bytes(b"meanwhile")
    log_in(mount)
    mount.wait()
    assert account.tree()["meanwhile"]["size"] == 9


def test_tokens_that_end_every_few_seconds_and_are_good_once(
    onedrive: Running, account: Account, mounting: Callable[..., Mount]
) -> None:
    """Access tokens that are within their margin from the beginning, and refresh tokens that are void once used."""
    onedrive.control("policy", access_seconds=301.0, spend=True)
    mount = mounting(account)
    for number in range(30):
        (mount.path / f"{number}").write_bytes(b"%d" % number)
        if number % 10 == 5:
            onedrive.control("revoke", what="access")
    mount.wait()
    assert len(account.tree()) >= 31
    assert mount.status()["state"] == "online"
    assert onedrive.control("counts", "GET")["requests"]["POST token"] >= 2


def test_nothing_says_a_token(onedrive: Running, account: Account, mounting: Callable[..., Mount]) -> None:
    """Not the log, not the status, not the arguments, not the environment of the driver."""
    onedrive.control("policy", access_seconds=301.0)
    mount = mounting(account)
    (mount.path / "file").write_bytes(b"x" * 100_000)
    mount.wait()
    secrets = onedrive.control("secrets", "GET")
    assert len(secrets) >= 4
    process = Path("/proc") / str(mount.status()["pid"])
    said = [process / "cmdline", process / "environ", *mount.state.rglob("*.log"), *mount.cache.rglob("*.log")]
    text = b"".join(file.read_bytes() for file in said) + str(mount.status()).encode()
    text += mount.succeed("status", str(mount.path)).encode()
    assert [secret for secret in secrets if secret.encode() in text] == []


# --- throttling ------------------------------------------------------------------------------------------------------


def test_a_pause_holds_for_all_mounts_of_the_account(
    onedrive: Running, account: Account, mounting: Callable[..., Mount]
) -> None:
    one, other = mounting(account, source="one"), mounting(account, source="other")
    for mount in (one, other):
        (mount.path / "first").write_bytes(b"1")
        mount.wait()
    onedrive.control("trouble", do="answer", match="PUT .*content", status=429, headers={"Retry-After": "5"})
    (one.path / "second").write_bytes(b"2")
    eventually(lambda: onedrive.control("counts", "GET")["happened"])
    began = time.monotonic()
    onedrive.control("counts", "DELETE")
    (other.path / "second").write_bytes(b"2")
    eventually(lambda: onedrive.control("counts", "GET")["total"])
    assert time.monotonic() - began > 4.5, "nobody asks before the time is over"
    for mount in (one, other):
        mount.wait()
