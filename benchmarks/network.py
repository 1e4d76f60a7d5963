"""The same work through cloudfs, through rclone, and without a file system, on one Swift server behind one line.

    python -m benchmarks.network                                   loopback
    python -m benchmarks.network --latency 40ms --bandwidth 200Mbit --rounds 3 --json result.json

Every system has a container of its own. What is read is read by a fresh mount that has neither cache nor catalogue.
Prints Markdown: seconds, and how many times the bare loop of requests that is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import bare
from benchmarks.peers import PEERS, Peer
from benchmarks.process import cpu_seconds, peak_resident_bytes
from benchmarks.results import machine
from benchmarks.sources import make_big_file, make_tree
from benchmarks.systems import Mounted
from cloudfs.quantities import parse_duration
from tests.servers.proxy import Proxy
from tests.servers.proxy import bandwidth as parse_bandwidth
from tests.servers.swift import Swift, SwiftCluster

TOOL_TIMEOUT = 600.0
BIG = 512 << 20
RANDOM_READS = 100
PATCH = 4096
FLOOR = "bare loop"

Seconds = dict[str, float]
"""By the name of the step."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is stored, and read again."""

    tree: Path
    big: Path


class Session:
    """One system and its container: mounts it warm or cold, and keeps time."""

    def __init__(self, peer: Peer, swift: Swift, container: str, place: Path) -> None:
        self._peer = peer
        self._swift = swift
        self._container = container
        self._place = place
        self.seconds: Seconds = {}

    @contextlib.contextmanager
    def cold(self) -> Iterator[Mounted]:
        """A mount that knows nothing."""
        shutil.rmtree(self._place, ignore_errors=True)
        with self._peer.mounted(self._swift, self._container, self._place) as mounted:
            yield mounted
            self._note("driver CPU", cpu_seconds(mounted.pid or 0))
            peak = peak_resident_bytes(mounted.pid or 0) / 2**20
            self.seconds["driver peak, MiB"] = max(peak, self.seconds.get("driver peak, MiB", 0.0))

    def step(self, name: str, action: Callable[[], object]) -> None:
        start = time.monotonic()
        action()
        self._note(name, time.monotonic() - start)
        print(f"{self._peer.name}: {name}: {self.seconds[name]:.2f}", file=sys.stderr)

    def _note(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def measure(session: Session, sources: Sources) -> Seconds:
    """All steps, in an order in which each finds what it needs."""
    with session.cold() as mounted:
        tree, moved = mounted.path / "tree", mounted.path / "moved"
        session.step("rsync tree", lambda: tool("rsync", "--archive", f"{sources.tree}/", f"{tree}/"))
        session.step("rsync tree, until stored", mounted.wait_until_stored)
        session.step("mv tree", lambda: tool("mv", str(tree), str(moved)))
        session.step("mv tree, until stored", mounted.wait_until_stored)
    with session.cold() as mounted:
        session.step("cold find -ls", lambda: tool("find", str(mounted.path), "-ls"))
    with session.cold() as mounted:
        session.step("cold tar of the tree", lambda: tool("sh", "-c", f"tar cf - -C {mounted.path} moved | cat"))
        session.step("rm -rf tree", lambda: tool("rm", "-rf", str(mounted.path / "moved")))
        session.step("rm -rf tree, until stored", mounted.wait_until_stored)
    with session.cold() as mounted:
        session.step("big", lambda: tool("cp", str(sources.big), str(mounted.path / "big")))
        session.step("big, until stored", mounted.wait_until_stored)
        session.step("patch 4 KiB", lambda: patch(mounted.path / "big"))
        session.step("patch 4 KiB, until stored", mounted.wait_until_stored)
    with session.cold() as mounted:
        session.step("cold 100 random reads", lambda: read_here_and_there(mounted.path / "big"))
    with session.cold() as mounted:
        session.step("cold big read", lambda: tool("sh", "-c", f"cat {mounted.path}/big | cat"))
    return session.seconds


def measure_floor(swift: Swift, container: str, sources: Sources) -> Seconds:
    account = bare.Account(swift)
    bare.make_container(account, container)
    return {
        "rsync tree, until stored": bare.put_tree(account, container, sources.tree),
        "cold tar of the tree": bare.get_tree(account, container, sources.tree),
        "big, until stored": bare.put_big(account, container, "big", sources.big),
        "cold big read": bare.get_big(account, container, "big", sources.big.stat().st_size),
    }


def tool(*command: str) -> None:
    subprocess.run(command, check=True, timeout=TOOL_TIMEOUT, stdout=subprocess.DEVNULL)


def patch(file: Path) -> None:
    with open(file, "r+b") as opened:
        opened.seek(file.stat().st_size // 2 + 12_345)
        opened.write(random.Random("patch").randbytes(PATCH))


def read_here_and_there(file: Path) -> None:
    chance = random.Random("reads")
    size = file.stat().st_size
    with open(file, "rb", buffering=0) as opened:
        for _ in range(RANDOM_READS):
            opened.seek(chance.randrange(size // PATCH) * PATCH)
            opened.read(PATCH)


def compare(peers: Sequence[Peer], swift: Swift, sources: Sources, rounds: int, place: Path) -> dict[str, Seconds]:
    """The systems take turns; the medians of every step."""
    found: dict[str, list[Seconds]] = {name: [] for name in [FLOOR, *(peer.name for peer in peers)]}
    for number in range(rounds):
        found[FLOOR].append(measure_floor(swift, f"bare-{number}", sources))
        for peer in peers:
            session = Session(peer, swift, f"{peer.name}-{number}", place / peer.name)
            found[peer.name].append(measure(session, sources))
    return {
        name: {step: median(each[step] for each in measured) for step in measured[0]}
        for name, measured in found.items()
    }


def markdown(medians: dict[str, Seconds]) -> str:
    """A row a step. The bare loop's row includes what comes before: it has no tool that returns earlier."""
    names = list(medians)
    steps = list(medians[names[-1]])
    lines = [f"| seconds | {' | '.join(names)} |", f"|---|{'--:|' * len(names)}"]
    for step in steps:
        cells = [f"{medians[name][step]:.2f}" if step in medians[name] else "" for name in names]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.network", description="Compare mounts of Swift.")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="how often each is measured (1)")
    parser.add_argument("--systems", nargs="+", choices=PEERS, default=list(PEERS), help="who takes part")
    parser.add_argument("--latency", default="0", metavar="TIME", help="round trip, such as 40ms (none)")
    parser.add_argument("--bandwidth", metavar="RATE", help="each way, such as 200Mbit (no limit)")
    parser.add_argument("--place", type=Path, metavar="DIRECTORY", help="where 5 GB are free (TMPDIR)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there as well")
    options = parser.parse_args(arguments)

    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="cloudfs-bench-", dir=options.place and options.place.resolve())
        place = Path(stack.enter_context(temporary))
        swift = stack.enter_context(SwiftCluster(place / "swift")).front()
        if options.latency != "0" or options.bandwidth:
            rate = parse_bandwidth(None, None, options.bandwidth)  # type: ignore[arg-type]
            proxy = Proxy(swift.address, latency=parse_duration(options.latency), bandwidth=rate)
            swift = swift.at(stack.enter_context(proxy).url)
        sources = Sources(make_tree(place / "tree"), make_big_file(place / "big", BIG))
        peers = [PEERS[name] for name in options.systems]
        medians = compare(peers, swift, sources, options.rounds, place)
    print(markdown(medians))
    if options.json:
        line = {"latency": options.latency, "bandwidth": options.bandwidth}
        result = {"machine": machine(), "rounds": options.rounds, "line": line, "medians": medians}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
