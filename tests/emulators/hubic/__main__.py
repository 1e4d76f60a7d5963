"""``python -m tests.emulators.hubic --port P --swift URL``: serve until killed, in front of that Swift.

``URL`` is where one signs in there by TempAuth, as ``python -m tests.servers.swift`` prints it. When the emulator can
be used, it prints a line ``ready URL``, then the stanza for the configuration, and who may sign in.
"""

from __future__ import annotations

import argparse

import httpx
import trio

from tests.emulators.hubic.accounts import LOGIN, PASSWORD
from tests.emulators.hubic.app import Hubic, stanza
from tests.emulators.serving import Answer, Request, serve
from tests.servers.swift_files import ACCOUNT, KEY, USER


async def _run(arguments: argparse.Namespace) -> None:
    emulators: list[Hubic] = []

    async def handler(request: Request) -> Answer:
        return await emulators[0].handler(request)

    async with httpx.AsyncClient(timeout=120) as client, trio.open_nursery() as nursery:
        port: int = await nursery.start(serve, handler, arguments.port)
        auth_url = arguments.swift if "/auth/" in arguments.swift else f"{arguments.swift.rstrip('/')}/auth/v1.0"
        emulator = Hubic(port, client, auth_url, arguments.user, arguments.key, auto_accept=arguments.auto_accept)
        await emulator.prepare()
        emulators.append(emulator)
        settings = emulator.accounts.settings
        settings.access_life, settings.swift_life = arguments.access_life, arguments.swift_life
        settings.failures = arguments.failures
        url = f"http://127.0.0.1:{port}"
        print(f"ready {url}", flush=True)
        print(stanza(url), f"# sign in as {LOGIN} with the password {PASSWORD}", sep="", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="An emulator of hubiC, on loopback, in front of a real Swift.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--swift", required=True, metavar="URL", help="of a Swift with TempAuth")
    parser.add_argument("--user", default=f"{ACCOUNT}:{USER}", help="there")
    parser.add_argument("--key", default=KEY, help="there")
    parser.add_argument("--state", help="not used: what it knows lives in Swift, or ends with it")
    parser.add_argument("--auto-accept", action="store_true", help="whoever opens the consent page has agreed")
    parser.add_argument("--access-life", type=float, default=21600.0, help="seconds")
    parser.add_argument("--swift-life", type=float, default=86400.0, help="seconds")
    parser.add_argument("--failures", type=float, default=0.0, help="share of questions for credentials to fail")
    trio.run(_run, parser.parse_args())


main()
