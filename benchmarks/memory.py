"""How much memory the driver needs: 100,000 files made through a mount.

    python -m benchmarks.memory
    python -m benchmarks.memory --files 1000000 --bytes 0

Prints the driver's resident memory after the last file, and after everything was stored. The exit status says whether
it stayed below the limit throughout.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.process import peak_resident_bytes, resident_bytes
from benchmarks.systems import SYSTEMS, Mounted

LIMIT = 200_000_000
FILES_IN_A_DIRECTORY = 1000


def make_files(place: Path, count: int, content: bytes) -> None:
    """The plainest way a program can: create, write, close."""
    for number in range(count):
        directory = place / f"{number // FILES_IN_A_DIRECTORY:04}"
        if number % FILES_IN_A_DIRECTORY == 0:
            directory.mkdir()
        handle = os.open(directory / f"{number:07}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(handle, content)
        finally:
            os.close(handle)


def report(mounted: Mounted, moment: str, since: float) -> int:
    """Print a line; returns the driver's peak in bytes."""
    if mounted.pid is None:
        raise ValueError("a file system without a driver has no memory to measure")
    now, peak = resident_bytes(mounted.pid), peak_resident_bytes(mounted.pid)
    took = time.monotonic() - since
    print(f"| {moment} | {took:.1f} s | {now / 1e6:.0f} MB resident | {peak / 1e6:.0f} MB at most |", flush=True)
    return peak


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="The driver's memory.")
    parser.add_argument("--files", type=int, default=100_000, metavar="N", help="how many to make (100,000)")
    parser.add_argument("--bytes", type=int, default=16, metavar="N", help="the size of each (16)")
    parser.add_argument("--system", choices=["floor", "cloudfs"], default="cloudfs")
    parser.add_argument("--place", type=Path, metavar="DIRECTORY", help="where there is room (TMPDIR)")
    options = parser.parse_args(arguments)

    with (
        tempfile.TemporaryDirectory(prefix="cloudfs-memory-", dir=options.place and options.place.resolve()) as place,
        SYSTEMS[options.system].mounted(Path(place)) as mounted,
    ):
        start = time.monotonic()
        report(mounted, "mounted", start)
        make_files(mounted.path, options.files, b"x" * options.bytes)
        report(mounted, f"{options.files:,} files made", start)
        mounted.wait_until_stored()
        peak = report(mounted, "all stored", start)
    return 0 if peak <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
