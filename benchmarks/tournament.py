"""Turn by turn: the servers, and who does what on which line to them."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.entrants import ENTRANTS, Arena
from benchmarks.results import NOT_PEERS, Measurement
from benchmarks.schedule import Turn, next_turn
from benchmarks.sources import Sizes, Sources, make_sources
from benchmarks.targets import FAR, FAR_BANDWIDTH, FAR_LATENCY, NEAR
from benchmarks.works import Work
from tests.servers.proxy import Proxy
from tests.servers.swift import Swift, SwiftCluster
from tests.servers.swift_files import Extras

_WEIGHT_OF_PEERS = {NEAR: 2, FAR: 4}
"""Far away most of them need so long that nobody else would get a second turn."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``deadline`` on the clock of `time.monotonic`; ``patience`` in seconds, for one work."""

    works: Sequence[Work]
    rounds: int
    deadline: float
    patience: float


@dataclass(frozen=True, slots=True)
class Track:
    """A line to the server, and what there is to be done on it."""

    swift: Swift
    server: Swift
    """The same without the line."""
    sources: Sources


@contextlib.contextmanager
def tracks(lines: Mapping[str, Sizes], place: Path) -> Iterator[Mapping[str, Track]]:
    """One server for all; its front end counts what it is asked for."""
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(SwiftCluster(place / "swift"))
        near = cluster.front(extras=Extras(s3=True, counted=True))
        found = {}
        for number, (line, sizes) in enumerate(lines.items()):
            swift = near
            if line == FAR:
                proxy = Proxy(near.address, latency=FAR_LATENCY, bandwidth=FAR_BANDWIDTH)
                swift = near.at(stack.enter_context(proxy).url)
            sources = place / f"sources-{number}"
            sources.mkdir()
            found[line] = Track(swift, near, make_sources(sources, sizes))
        yield found


def turns(lines: Sequence[str], systems: Sequence[str]) -> Sequence[Turn]:
    """Who has one: on the far line, those to whom it makes a difference."""
    return [
        Turn(line, name, 1 if name in NOT_PEERS else _WEIGHT_OF_PEERS[line])
        for line in lines
        for name in systems
        if line == NEAR or ENTRANTS[name].is_far
    ]


def compete(turns: Sequence[Turn], tracks: Mapping[str, Track], rules: Rules, place: Path) -> Iterator[Measurement]:
    """Until each has had its rounds, or the time is over."""
    taken: dict[Turn, list[float]] = {turn: [] for turn in turns}
    while turn := next_turn(turns, taken, rules.rounds, rules.deadline - time.monotonic()):
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=place) as own:
            yield from _take(turn, len(taken[turn]), tracks[turn.line], rules, Path(own))
        taken[turn].append(time.monotonic() - began)


def _take(turn: Turn, number: int, track: Track, rules: Rules, place: Path) -> Iterator[Measurement]:
    arena = Arena(
        line=turn.line,
        swift=track.swift,
        server=track.server,
        sources=track.sources,
        container=f"{turn.system.replace(' ', '-')}-{'near' if turn.line == NEAR else 'far'}-{number}",
        place=place / "own",
        deadline=rules.deadline,
        patience=rules.patience,
    )
    works = [work for work in rules.works if (number == 0 or not work.once) and (turn.line == NEAR or work.far)]
    for measured in ENTRANTS[turn.system].run(arena, works):
        took = measured.failure or f"{measured.seconds:.2f} s, +{measured.stored_seconds:.2f} s until stored"
        print(f"{turn.line}: {turn.system}: {measured.work}: {took}", file=sys.stderr, flush=True)
        yield measured
