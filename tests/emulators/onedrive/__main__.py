"""``python -m tests.emulators.onedrive --port P --state DIR``: serve until killed.

When it can be used, it prints a line ``ready URL`` and then the stanza for the configuration. The first start of a
state directory makes an account, with ``--kind business`` one that can sign in by device code; others are made with
``/control/accounts`` (see ``control.py``).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import trio

from tests.emulators.onedrive.app import OneDrive
from tests.emulators.onedrive.control import TENANTS, stanza
from tests.emulators.serving import Answer, Request, serve


async def _run(port: int, state: Path, kind: str, told: str) -> None:
    emulators: list[OneDrive] = []

    async def handler(request: Request) -> Answer:
        return await emulators[0].handler(request)

    async with trio.open_nursery() as nursery:
        url = f"http://127.0.0.1:{await nursery.start(serve, handler, port)}"
        emulators.append(OneDrive(state, told or url))
        if emulators[0].database.one("SELECT 1 FROM account") is None:
            emulators[0].accounts.add_drive(emulators[0].accounts.add("someone@example.com", kind), kind)
        print(f"ready {url}", flush=True)
        print(stanza(told or url, TENANTS[kind]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="An emulator of OneDrive, on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--state", type=Path, required=True, help="a directory, which keeps everything")
    parser.add_argument("--kind", choices=list(TENANTS), default="personal", help="of the first account")
    parser.add_argument("--url", default="", help="the address to hand out, if clients come through a proxy")
    arguments = parser.parse_args()
    trio.run(_run, arguments.port, arguments.state, arguments.kind, arguments.url.rstrip("/"))


main()
