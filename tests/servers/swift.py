"""A real OpenStack Swift on loopback, up in a few seconds: what the tests of the Swift store speak to.

``python -m tests.servers.swift --port 8090 --dir /tmp/swift [--without slo,bulk,symlink]`` runs one by hand, and
prints what to put into the configuration file. It is made of the packages ``swift`` (PyPI) and ``memcached`` (Debian).
Every process ends with the one that started it.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import httpx

from tests.servers.swift_files import (
    ACCOUNT,
    KEY,
    OPTIONAL,
    PLAIN,
    USER,
    Extras,
    Ports,
    back_end,
    front_end,
    write_common,
)

_REPOSITORY = Path(__file__).parents[2]
_REPOSITORY = Path(__file__).parents[2]
_PATIENCE = 60.0
_MEMORY_NEEDED = 2 << 30
_PREFIX = "cloudfs-swift-"
"""Of directories in memory; the process id follows, so that what a killed one left can be told."""
_BACK_ENDS = ("account", "container", "object")


@dataclass(frozen=True)
class Swift:
    """One front end, and how to sign in."""

    url: str
    user: str = f"{ACCOUNT}:{USER}"
    key: str = KEY

    @property
    def auth_url(self) -> str:
        return f"{self.url}/auth/v1.0"

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.rpartition("/")[2].partition(":")
        return host, int(port)

    def at(self, url: str) -> Swift:
        """The same through a proxy. (Swift tells the address by which it was asked.)"""
        return Swift(url, self.user, self.key)

    def stanza(self, name: str = "swift") -> str:
        """For the configuration file."""
        return (
            f'[remote.{name}]\ntype = "swift"\nauth_url = "{self.auth_url}"\nuser = "{self.user}"\nkey = "{self.key}"\n'
        )


class SwiftCluster:
    """The back ends, and as many front ends as are asked for: they differ in what they offer, and share the content."""

    def __init__(self, directory: Path) -> None:
        """Everything is in ``directory``, but the objects are in memory if there is enough of it."""
        self._directory = directory
        self._stack = ExitStack()
        self._ports = Ports(*(_free_port() for _ in range(4)))
        self._fronts: dict[tuple[frozenset[str], Extras], Swift] = {}

    def __enter__(self) -> SwiftCluster:
        with self._stack:
            self._start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def front(self, without: Collection[str] = (), port: int = 0, extras: Extras = PLAIN) -> Swift:
        """A front end without some of `OPTIONAL`, and with these extras; the same one each time."""
        key = frozenset(without), extras
        if key not in self._fronts:
            self._fronts[key] = self._start_front(*key, port or _free_port())
        return self._fronts[key]

    def forget_tokens(self) -> None:
        """Every token ends now; so it is when a provider restarts."""
        with socket.create_connection(("127.0.0.1", self._ports.memcached), timeout=5) as memcached:
            memcached.sendall(b"flush_all\r\n")
            assert memcached.recv(100) == b"OK\r\n"

    def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        write_common(self._directory)
        devices = self._stack.enter_context(_devices(self._directory))
        (devices / "d1").mkdir(exist_ok=True)
        self._run("memcached", _memcached(self._ports.memcached))
        for kind in _BACK_ENDS:
            port = getattr(self._ports, kind)
            self._build_ring(kind, port)
            self._serve(kind, back_end(kind, self._directory, devices, port, getpass.getuser()), kind)
        for port in (self._ports.account, self._ports.container, self._ports.object, self._ports.memcached):
            _wait_for_port(port)

    def _start_front(self, without: frozenset[str], extras: Extras, port: int) -> Swift:
        name = "-".join(["proxy", *sorted(without), *(["extra"] if extras != PLAIN else [])])
        text = front_end(self._directory, port, self._ports.memcached, getpass.getuser(), without, extras)
        self._serve(name, text, "proxy")
        _wait_for_port(port)
        swift = Swift(f"http://127.0.0.1:{port}")
        _wait_until_healthy(swift)
        return swift

    def _build_ring(self, kind: str, port: int) -> None:
        builder = str(self._directory / f"{kind}.builder")
        for arguments in (["create", "4", "1", "1"], ["add", f"r1z1-127.0.0.1:{port}/d1", "1"], ["rebalance"]):
            subprocess.run(
                [*_script("swift-ring-builder"), builder, *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=self._directory,
            )

    def _serve(self, name: str, text: str, kind: str) -> None:
        file = self._directory / f"{name}.conf"
        file.write_text(text)
        self._run(name, [*_script(f"swift-{kind}-server"), str(file)])

    def _run(self, name: str, command: Sequence[str]) -> None:
        self._stack.enter_context(_process(command, self._directory / f"{name}.log"))


def _script(name: str) -> list[str]:
    """A program of the package ``swift``, whose warnings are its own business."""
    return [sys.executable, "-W", "ignore", str(Path(sys.executable).with_name(name))]


def _memcached(port: int) -> list[str]:
    user = ["-u", "root"] if os.geteuid() == 0 else []
    return ["memcached", *user, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "32"]


@contextmanager
def _process(command: Sequence[str], log_file: Path) -> Iterator[None]:
    if shutil.which(command[0]) is None:
        raise RuntimeError(f"{command[0]} is missing; `bash contrib/test.sh` installs everything the tests need")
    # Whatever happens to us, it does not outlive us.
    tied = ["setpriv", "--pdeathsig", "KILL", "--", *command]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
    environment["PYTHONPATH"] = str(_REPOSITORY)
    with open(log_file, "wb") as log:
        process = subprocess.Popen(tied, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def _devices(directory: Path) -> Iterator[Path]:
    """Where the objects are: in memory, because Swift's metadata does not fit into the attributes of ext4."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or shutil.disk_usage(memory).free < _MEMORY_NEEDED:
        memory = directory
    for left in memory.glob(f"{_PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(_PREFIX).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    devices = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=memory))
    try:
        yield devices
    finally:
        shutil.rmtree(devices, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _wait_until_healthy(swift: Swift) -> None:
    """Until somebody can sign in and look at the account."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            signed_in = httpx.get(swift.auth_url, headers={"X-Auth-User": swift.user, "X-Auth-Key": swift.key})
            token = signed_in.headers.get("x-auth-token", "")
            account = httpx.get(signed_in.headers.get("x-storage-url", swift.url), headers={"X-Auth-Token": token})
            if account.is_success:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError("Swift does not answer; its logs are beside its configuration")
        time.sleep(0.05)


@click.command(help="Run an OpenStack Swift on loopback until interrupted.")
@click.option("--port", type=int, default=0, help="Where it listens; any free port, if not said.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), required=True, help="Its files.")
@click.option("--without", default="", help=f"What it does not offer: some of {','.join(OPTIONAL)}.")
def main(port: int, directory: Path, without: str) -> None:
    left_out = [name for name in without.split(",") if name]
    if unknown := set(left_out) - set(OPTIONAL):
        raise click.UsageError(f"it can only be without some of {', '.join(OPTIONAL)}; not {', '.join(unknown)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with SwiftCluster(directory.resolve()) as cluster:
        swift = cluster.front(left_out, port)
        print(f"ready: {swift.url}", flush=True)
        print(swift.stanza(), flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
