"""``python -m tests.emulators.keystone --port P --swift AUTH_URL``: serve until killed; everything is in memory.

When it can be used, it prints a line ``ready URL``, then a stanza for the configuration.
"""

from __future__ import annotations

import argparse

import trio

from tests.emulators.keystone.app import Keystone, stanza
from tests.emulators.serving import serve, told_to_end


async def _run(port: int, swift: str) -> None:
    emulator = Keystone(swift)
    async with trio.open_nursery() as nursery:
        url = f"http://127.0.0.1:{await nursery.start(serve, emulator.handle, port)}"
        print(f"ready {url}", flush=True)
        print(stanza(url), end="", flush=True)
        await told_to_end()
        nursery.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description="An emulator of Keystone v2.0 and v3, on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--dir", "--state", help="not used: it forgets everything")
    parser.add_argument("--swift", required=True, help="where the Swift behind it signs in (v1)")
    arguments = parser.parse_args()
    trio.run(_run, arguments.port, arguments.swift)


if __name__ == "__main__":
    main()
