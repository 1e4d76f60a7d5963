"""Who is next. The systems take turns, so that a slow minute of the machine hits all of them; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """A system on a line. One with a ``weight`` of 2 runs half as often as one with 1."""

    line: str
    system: str
    weight: int = 1


def next_turn(turns: Sequence[Turn], taken: Mapping[Turn, Sequence[float]], most: int, remaining: float) -> Turn | None:
    """The one that ran least by its weight, and of equals who ran less, and then who comes first.

    None when each has run ``most`` times, or nobody can finish in time.
    ``taken`` are the seconds of each run so far. Who has not run yet may need any time.
    """

    def runs(turn: Turn) -> int:
        return len(taken.get(turn, ()))

    able = [turn for turn in turns if runs(turn) < most and max(taken.get(turn, ()), default=0.0) < remaining]
    return min(able, key=lambda turn: ((runs(turn) + 1) * turn.weight, runs(turn)), default=None)
