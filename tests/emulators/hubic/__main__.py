"""``python -m tests.emulators.hubic --port P --dir D``: serve until killed, in front of a Swift of its own.

Or in front of another: ``--swift URL`` is where one signs in there by TempAuth, as ``python -m tests.servers.swift``
prints it. When the emulator can be used, it prints a line ``ready URL``, then the stanza for the configuration, and who
may sign in.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import trio

from tests.emulators.hubic.accounts import LOGIN, PASSWORD
from tests.emulators.hubic.app import Hubic, stanza
from tests.emulators.serving import Answer, Request, serve, told_to_end
from tests.servers.swift import SwiftCluster
from tests.servers.swift_files import ACCOUNT, KEY, OPTIONAL, USER

_NOT_AT_HUBIC = "slo,bulk,symlink"


async def _run(arguments: argparse.Namespace, swift: str) -> None:
    emulators: list[Hubic] = []

    async def handler(request: Request) -> Answer:
        return await emulators[0].handler(request)

    async with httpx.AsyncClient(timeout=120) as client, trio.open_nursery() as nursery:
        port: int = await nursery.start(serve, handler, arguments.port)
        auth_url = swift if "/auth/" in swift else f"{swift.rstrip('/')}/auth/v1.0"
        emulator = Hubic(
            port,
            client,
            auth_url,
            arguments.user,
            arguments.key,
            auto_accept=arguments.auto_accept,
            kept=arguments.directory / "refresh-token.json" if arguments.directory else None,
        )
        await emulator.prepare()
        emulators.append(emulator)
        settings = emulator.accounts.settings
        settings.access_life, settings.swift_life = arguments.access_life, arguments.swift_life
        settings.failures = arguments.failures
        url = f"http://127.0.0.1:{port}"
        print(f"ready {url}", flush=True)
        print(stanza(url), f"# sign in as {LOGIN} with the password {PASSWORD}", sep="", flush=True)
        await told_to_end()
        nursery.cancel_scope.cancel()


@contextlib.contextmanager
def _swift(arguments: argparse.Namespace) -> Iterator[str]:
    """The address of the Swift behind it."""
    if arguments.swift:
        yield arguments.swift
        return
    with tempfile.TemporaryDirectory() as scratch:
        directory = (arguments.directory or Path(scratch)) / "swift"
        with SwiftCluster(directory.resolve()) as cluster:
            yield cluster.front([name for name in arguments.without.split(",") if name]).url


def main() -> None:
    parser = argparse.ArgumentParser(description="An emulator of hubiC, on loopback, in front of a real Swift.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument(
        "--dir",
        "--state",
        dest="directory",
        type=Path,
        help="of its own Swift (which forgets the objects when it ends), and of the sign-in (which stays)",
    )
    parser.add_argument("--swift", metavar="URL", help="of a Swift with TempAuth, instead of one of its own")
    parser.add_argument("--user", default=f"{ACCOUNT}:{USER}", help="there")
    parser.add_argument("--key", default=KEY, help="there")
    parser.add_argument(
        "--without", default=_NOT_AT_HUBIC, help=f"what its own Swift does not offer: some of {','.join(OPTIONAL)}"
    )
    parser.add_argument("--auto-accept", action="store_true", help="whoever opens the consent page has agreed")
    parser.add_argument("--access-life", type=float, default=21600.0, help="seconds")
    parser.add_argument("--swift-life", type=float, default=86400.0, help="seconds")
    parser.add_argument("--failures", type=float, default=0.0, help="share of questions for credentials to fail")
    arguments = parser.parse_args()
    if arguments.directory:
        arguments.directory.mkdir(parents=True, exist_ok=True)
    with _swift(arguments) as swift:
        trio.run(_run, arguments, swift)


if __name__ == "__main__":
    main()
