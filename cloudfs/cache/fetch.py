"""Missing blocks, fetched: coalesced into requests, in parallel, and no block twice at the same time.

A `Flight` is one request to the store. The reader who starts it carries it, in its own task; readers who need some of
its blocks wait for it to land. If it fails, or its reader is cancelled, those who waited start flights of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from cloudfs.cache.blocks import BLOCK, SHIFT
from cloudfs.cache.contract import Fetch
from cloudfs.cache.runs import Run
from cloudfs.errors import BrokenAnswer

Piece = tuple[int, bytes]
"""Bytes of a content, after the place where they begin."""

REQUEST = 4 << 20
"""Most bytes of one request."""

Store = Callable[[int, bytes], Awaitable[None]]
"""Keeps blocks, from the given one on, or does not; raises nothing but ``trio.Cancelled``."""


class Flight:
    """A request for the blocks ``[first, last)``. When ``done``: ``data``, or ``error``, or neither if cancelled."""

    __slots__ = ("data", "done", "error", "first", "last")

    def __init__(self, first: int, last: int) -> None:
        self.first = first
        self.last = last
        self.done = trio.Event()
        self.data: bytes | None = None
        self.error: Exception | None = None


class Flights:
    """The requests under way for one content of ``size`` bytes. What lands is given to ``store``."""

    def __init__(self, size: int, store: Store) -> None:
        self._size = size
        self._store = store
        self._under_way: dict[int, Flight] = {}  # by block

    async def land(self, runs: Sequence[Run], fetch: Fetch) -> list[Piece]:
        """Pieces that together cover the blocks of ``runs``, and may cover more.

        Raises what ``fetch`` raises, and `BrokenAnswer` if it returns another number of bytes than asked. The error of
        somebody else's flight is forgiven once, so that nobody waits for more than two time-outs of others.
        """
        landed: list[Piece] = []
        forgiving = True
        while runs:
            joined, own = self._plan(runs)
            await self._carry(own, joined, fetch)
            landed += [(f.first << SHIFT, f.data) for f in (*joined, *own) if f.data is not None]
            failed = [flight for flight in joined if flight.data is None]
            for flight in own if forgiving else (*own, *failed):
                if flight.data is None and flight.error is not None:
                    raise flight.error
            forgiving = forgiving and all(flight.error is None for flight in failed)
            runs = [clip for run in runs for flight in failed if (clip := _clip(run, flight))]
        return landed

    def _plan(self, runs: Sequence[Run]) -> tuple[list[Flight], list[Flight]]:
        """The flights under way to wait for, and new ones, registered, for the rest."""
        joined: dict[int, Flight] = {}
        own: list[Flight] = []
        for first, last in runs:
            for block in range(first, last):
                flight = self._under_way.get(block)
                if flight is None:
                    flight = self._under_way[block] = _lengthen(own, block)
                elif flight not in own:
                    joined[id(flight)] = flight
        return list(joined.values()), own

    async def _carry(self, own: list[Flight], joined: list[Flight], fetch: Fetch) -> None:
        if len(own) == 1:
            await self._fly(own[0], fetch)
        elif own:
            async with trio.open_nursery() as nursery:
                for flight in own:
                    nursery.start_soon(self._fly, flight, fetch)
        for flight in joined:
            await flight.done.wait()

    async def _fly(self, flight: Flight, fetch: Fetch) -> None:
        """Leaves the outcome in ``flight``. Until the blocks are stored, new readers still find them here."""
        try:
            await self._ask(flight, fetch)
            flight.done.set()
            if flight.data is not None:
                await self._store(flight.first, flight.data)
        finally:
            for block in range(flight.first, flight.last):
                del self._under_way[block]
            flight.done.set()

    async def _ask(self, flight: Flight, fetch: Fetch) -> None:
        start, stop = flight.first << SHIFT, min(flight.last << SHIFT, self._size)
        try:
            data = await fetch(start, stop)
            if len(data) != stop - start:
                raise BrokenAnswer(f"the store gave {len(data)} bytes instead of {stop - start}")
        except Exception as error:
            flight.error = error
        else:
            flight.data = data


def _lengthen(flights: list[Flight], block: int) -> Flight:
    """The last flight if ``block`` is what comes next in it, else a new one."""
    if flights and flights[-1].last == block and block - flights[-1].first < REQUEST // BLOCK:
        flights[-1].last += 1
    else:
        flights.append(Flight(block, block + 1))
    return flights[-1]


def _clip(run: Run, flight: Flight) -> Run | None:
    first, last = max(run[0], flight.first), min(run[1], flight.last)
    return (first, last) if first < last else None
