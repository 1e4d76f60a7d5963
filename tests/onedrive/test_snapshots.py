"""docs/how-to/onedrive-snapshots.md as it is written, on a machine of its own: fstab, mount(8), cron, retention."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator

import httpx
import pytest

from cloudfs.config import load_config
from cloudfs.daemon.signing_in import Wish, sign_in
from tests.docs.test_docs import DOCS, blocks
from tests.emulators.onedrive.browser import agree
from tests.emulators.person import Somebody
from tests.emulators.running import Running
from tests.fstab.machine import Machine, machine
from tests.mount.driver import eventually
from tests.stores.onedrive import Account

PAGE = DOCS / "how-to/onedrive-snapshots.md"
OLD = ("1700000000_2023-11-14_photos.tar.gz", "1710000000_2024-03-09_photos.tar.gz")
KIB = 1024


def block(language: str, marker: str) -> str:
    """The one of the page that has a word in it."""
    (found,) = [text for text in blocks(PAGE, language) if marker in text]
    return found


@pytest.fixture
def here(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine whose administrator has followed the page, with directories of photos and of music to be kept."""
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("installing and mounting need root and /dev/fuse")
    with machine() as made:
        lines = made.program.read_text().splitlines()
        made.program.write_text("\n".join([lines[0], f"export CLOUDFS_SIGN_IN_DIR={made.home}/sign-ins", *lines[1:]]))
        made.install()
        config = block("toml", "[[retention]]").replace('"50G"', '"250K"')
        about = "\n".join(line for line in account.stanza.splitlines() if not line.startswith(("[", "type")))
        config = re.sub(r"client_id = .*\ntenant = .*\n", about + "\n", config)
        (made.home / "config.toml").write_text(config)
        monkeypatch.setenv("CLOUDFS_CONFIG", str(made.home / "config.toml"))
        monkeypatch.setenv("CLOUDFS_SIGN_IN_DIR", str(made.home / "sign-ins"))
        sign_in(load_config().remotes["onedrive"], Somebody({"Address": agree}), Wish())
        line = block("fstab", "onedrive:").replace("/mnt/backups", str(made.mnt))
        made.fstab.write_text(line.replace("noauto,", made.options("noauto,")))
        for name in ("photos", "music & more"):
            (made.home / name).mkdir()
            (made.home / name / "file").write_bytes(os.urandom(100 * KIB))
        yield made


def cron_command(made: Machine) -> str:
    """The command in cron's line, as cron hands it to the shell, with this machine's directories."""
    *_, line = block("cron", "root").strip().splitlines()
    command = re.fullmatch(r"0 4,16 \* \* \*  root  (.*)", line)
    assert command
    text = command[1].replace("\\%", "%").replace("/mnt/backups", str(made.mnt))
    return text.replace("/etc /home/ann/photos /srv/www", f"{made.home}/photos").replace("logger -t backups", "cat")


def leave(account: Account, name: str) -> None:
    """As the script did, with the web interface alone."""
    address = f"{account.emulator.url}/v1.0/me/drive/root:/backups/photos/{name}:/content"
    headers = {"Authorization": f"Bearer {account.facts['access_token']}"}
    assert httpx.put(address, content=os.urandom(100 * KIB), headers=headers).status_code == 201


def make_folders(account: Account) -> None:
    headers = {"Authorization": f"Bearer {account.facts['access_token']}"}
    for parent, name in (("root", "backups"), ("root:/backups:", "photos")):
        address = f"{account.emulator.url}/v1.0/me/drive/{parent}/children"
        assert httpx.post(address, json={"name": name, "folder": {}}, headers=headers).status_code == 201


def test_the_whole_job(here: Machine, account: Account, onedrive: Running) -> None:
    """With the archives that the script has left, of which the oldest has to make room."""
    make_folders(account)
    for name in OLD:
        leave(account, name)
    here.succeed("mount", here.mnt)
    assert sorted(os.listdir(here.path("photos"))) == list(OLD)
    said = here.succeed("sh", "-c", cron_command(here))
    assert "tar" not in said
    here.succeed(here.program, "wait", here.mnt)
    eventually(lambda: OLD[0] not in os.listdir(here.path("photos")), within=30)
    oldest, newest = sorted(os.listdir(here.path("photos")))
    assert oldest == OLD[1]
    assert re.fullmatch(r"\d{10}_\d{4}-\d\d-\d\d_photos\.tar\.gz", newest)
    here.succeed("umount", here.mnt)
    assert {path for path in account.tree() if path.endswith(".gz")} == {
        f"backups/photos/{name}" for name in (oldest, newest)
    }
    here.when_ended()
    archive = onedrive_content(account, f"backups/photos/{newest}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        member = found.extractfile("photos/file")
        assert member is not None
        assert member.read() == (here.home / "photos/file").read_bytes()


def test_the_line_of_cron_does_nothing_when_nothing_is_mounted(here: Machine) -> None:
    done = here.run("sh", "-c", cron_command(here))
    assert done.returncode != 0
    assert "not mounted" in done.stdout + done.stderr
    assert os.listdir(here.path("")) == []


def test_the_service_of_systemd_does_the_same_as_the_line_of_cron() -> None:
    """What sh gets, once cron has taken away its backslashes and systemd its doubled signs."""
    (cron,) = re.findall(r"(for d in .*; done)", block("cron", "root"))
    (unit,) = re.findall(r"ExecStart=/bin/sh -c '(.*)'", block("ini", "Type=oneshot"))
    assert cron.replace("\\%", "%") == unit.replace("$$", "$").replace("%%", "%")
    done = subprocess.run(["sh", "-n", "-c", unit.replace("$$", "$").replace("%%", "%")], check=False)
    assert done.returncode == 0


def onedrive_content(account: Account, path: str) -> bytes:
    headers = {"Authorization": f"Bearer {account.facts['access_token']}"}
    address = f"{account.emulator.url}/v1.0/me/drive/root:/{path}:/content"
    there = httpx.get(address, headers=headers).headers["location"]
    return httpx.get(there).content
