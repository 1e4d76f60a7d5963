"""What cloudfs wants to reach, and whether it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.results import FLOOR, LOOPS, SUBJECT, Table

NEAR, FAR = "loopback", "40 ms, 200 Mbit/s"
FAR_LATENCY, FAR_BANDWIDTH = 0.040, 25_000_000
"""Seconds of a round trip; bytes a second, each way."""
MEMORY_LIMIT = 150_000_000


class Against(StrEnum):
    """What a time is compared with."""

    FLOOR = "the floor"
    LOOPS = "the bare loops"
    PEER = "the best peer"
    RCLONE = "rclone"
    LINE = "the line's limit"
    CLOCK = "seconds"


@dataclass(frozen=True, slots=True)
class Target:
    """At most so many times what it is compared with; ``stored``: until everything is stored, on both sides."""

    line: str
    work: str
    most: float
    against: Against
    stored: bool = False


TARGETS: Sequence[Target] = (
    Target(NEAR, "big tar", 1.25, Against.FLOOR),
    Target(NEAR, "big tar", 0.25, Against.RCLONE),
    Target(NEAR, "rsync of the tree", 1.6, Against.FLOOR),
    Target(NEAR, "rsync of the tree", 1.0, Against.PEER),
    Target(NEAR, "untar", 1.0, Against.PEER),
    Target(NEAR, "find -ls, warm", 1.2, Against.PEER),
    Target(NEAR, "tree read, warm", 1.2, Against.PEER),
    Target(NEAR, "big read, warm", 1.2, Against.PEER),
    Target(NEAR, "rsync of the tree", 1.0, Against.PEER, stored=True),
    Target(NEAR, "big tar", 1.0, Against.PEER, stored=True),
    Target(FAR, "big tar", 1.2, Against.LINE, stored=True),
    Target(FAR, "rsync of the tree", 1.2, Against.LOOPS, stored=True),
    Target(FAR, "tree read, cold", 1.2, Against.LOOPS),
    Target(FAR, "big read, cold", 1.2, Against.LINE),
    Target(FAR, "find -ls, cold", 0.5, Against.CLOCK),
    Target(FAR, "100 random reads, cold", 6.0, Against.CLOCK),
    Target(FAR, "patch of 4 KiB", 2.0, Against.CLOCK, stored=True),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far it is; ``value`` in the units of the target."""

    target: Target
    value: float

    @property
    def reached(self) -> bool:
        return self.value <= self.target.most


def judge(table: Table, far_big: int) -> list[Verdict]:
    """The targets of which everything needed was measured. ``far_big``: bytes of the big file on the far line."""
    verdicts = []
    for target in TARGETS:
        mine = table.find(target.line, target.work, SUBJECT)
        other = _other(table, target, far_big)
        if mine is not None and other:
            verdicts.append(Verdict(target, (mine.total if target.stored else mine.seconds) / other))
    return verdicts


def _other(table: Table, target: Target, far_big: int) -> float | None:
    match target.against:
        case Against.CLOCK:
            return 1.0
        case Against.LINE:
            return far_big / FAR_BANDWIDTH
        case Against.PEER:
            return table.best_peer(target.line, target.work, stored=target.stored)
        case against:
            names = {Against.FLOOR: FLOOR, Against.LOOPS: LOOPS, Against.RCLONE: "rclone"}
            found = table.find(target.line, target.work, names[against])
            return None if found is None else found.total if target.stored else found.seconds


def markdown(verdicts: Sequence[Verdict], peak: int) -> str:
    """``peak``: the most memory that the driver of cloudfs had in any work, in bytes."""
    lines = ["| reached | line | work | at most | against | measured |", "|---|---|---|--:|---|--:|"]
    for verdict in verdicts:
        target = verdict.target
        work = f"{target.work}, stored" if target.stored else target.work
        lines.append(
            f"| {_word(verdict.reached)} | {target.line} | {work} | {target.most:g} | {target.against}"
            f" | {verdict.value:.2f} |"
        )
    limit = MEMORY_LIMIT // 1_000_000
    lines.append(f"| {_word(peak <= MEMORY_LIMIT)} | all | all | {limit} | MB of memory | {peak / 1e6:.0f} |")
    return "\n".join(lines)


def _word(reached: bool) -> str:
    return "yes" if reached else "**no**"
