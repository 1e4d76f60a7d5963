"""``python -m tests.emulators.ubuntuone --port P --dir D``: serve until killed; everything is in memory.

When it can be used, it prints a line ``ready URL``, then a stanza for the configuration, and who may sign in.
"""

from __future__ import annotations

import argparse

import trio

from tests.emulators.serving import serve, told_to_end
from tests.emulators.ubuntuone.app import UbuntuOne, stanza
from tests.emulators.ubuntuone.signin import EMAIL, PASSWORD


async def _run(port: int) -> None:
    emulator = UbuntuOne()
    async with trio.open_nursery() as nursery:
        url = f"http://127.0.0.1:{await nursery.start(serve, emulator.handler, port)}"
        print(f"ready {url}", flush=True)
        print(stanza(url, emulator.grant()), end="")
        print(f"# or, without oauth and consumer, sign in as {EMAIL} with the password {PASSWORD}", flush=True)
        await told_to_end()
        nursery.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description="An emulator of Ubuntu One Files, on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--dir", "--state", help="not used: it forgets everything")
    trio.run(_run, parser.parse_args().port)


if __name__ == "__main__":
    main()
