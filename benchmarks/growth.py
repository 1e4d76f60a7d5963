"""What grows with the number of names: every operation on a catalogue of 1,000, of 100,000 and of 1,000,000 names.

Each size is a mount of its own, over a catalogue that is filled directly (`benchmarks.population`). An operation is
done some hundred times, on names that the kernel has not asked for yet.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.population import FLAT, Population, populate
from benchmarks.process import cpu_seconds, peak_resident_bytes, resident_bytes
from benchmarks.systems import Mounted, driver, run

SIZES = (1_000, 100_000, 1_000_000)
TIMES = 300
"""How often an operation is done."""
FEW = 10
"""How often a dear one is."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one operation, once, in microseconds: until it returned, and of the driver's processor time."""

    elapsed: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Growth:
    """One size: what each operation costs, in the order in which they were done, and the driver's memory."""

    names: int
    costs: Mapping[str, Cost]
    mount_seconds: float
    resident_bytes: int
    """As soon as it was mounted."""
    peak_bytes: int
    """At the end."""


class Operations:
    """What is done to a mount of a population; each method is one operation, done ``times`` times."""

    def __init__(self, mounted: Mounted, population: Population) -> None:
        self._path = mounted.path
        self._population = population
        self._chance = random.Random(population.names)

    def lookup(self) -> int:
        return self._each(self._some_files(TIMES), os.stat)

    def lookup_in_large_directory(self) -> int:
        numbers = self._chance.sample(range(self._population.flat), min(TIMES, self._population.flat))
        return self._each([self._flat(number) for number in numbers], os.stat)

    def lookup_of_nothing(self) -> int:
        names = [self._path / FLAT / f"nothing-{number}" for number in range(TIMES)]
        return self._each(names, lambda name: not name.exists())

    def create(self) -> int:
        return self._each(self._new(self._population.shelf(0)), _create)

    def create_in_large_directory(self) -> int:
        return self._each(self._new(FLAT), _create)

    def rename(self) -> int:
        return self._each(self._new(FLAT), lambda name: name.rename(name.with_name(f"renamed-{name.name}")))

    def unlink(self) -> int:
        return self._each([name.with_name(f"renamed-{name.name}") for name in self._new(FLAT)], os.unlink)

    def unlink_stored(self) -> int:
        return self._each([self._flat(number) for number in range(min(TIMES, self._population.flat // 2))], os.unlink)

    def chmod(self) -> int:
        return self._each(self._some_files(TIMES), lambda name: name.chmod(0o600))

    def rename_large_directory(self) -> int:
        places = [self._path / FLAT, self._path / "flat-renamed"]
        for turn in range(FEW):
            places[turn % 2].rename(places[1 - turn % 2])
        return FEW

    def list_small_directory(self) -> int:
        shelves = self._chance.sample(range(self._population.shelves), min(FEW, self._population.shelves))
        return self._each([self._path / self._population.shelf(number) for number in shelves], os.listdir)

    def list_large_directory(self) -> int:
        """For each of its names."""
        return len(os.listdir(self._path / FLAT))

    def find(self) -> int:
        """For each name, of all there are."""
        subprocess.run(["find", self._path, "-ls"], check=True, stdout=subprocess.DEVNULL)
        return self._population.names

    def statfs(self) -> int:
        return self._each([self._path] * FEW, os.statvfs)

    def status(self) -> int:
        """With the start of an interpreter that any command needs."""
        return self._command("status", str(self._path))

    def status_of_a_file(self) -> int:
        return self._command("status", str(self._flat(self._population.flat - 1)))

    def _command(self, *arguments: str) -> int:
        command = [sys.executable, "-m", "cloudfs", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return 1

    def _each(self, names: Sequence[Path], action: Callable[[Path], object]) -> int:
        for name in names:
            action(name)
        return len(names)

    def _flat(self, number: int) -> Path:
        return self._path / FLAT / self._population.file(number)

    def _new(self, directory: str) -> Sequence[Path]:
        return [self._path / directory / f"new-{number}" for number in range(TIMES)]

    def _some_files(self, count: int) -> Sequence[Path]:
        shelves = range(self._population.shelves)
        return [
            self._path / self._population.shelf(self._chance.choice(shelves)) / self._population.file(number % 100)
            for number in range(count)
        ]


def _create(file: Path) -> None:
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


OPERATIONS: Sequence[tuple[str, Callable[[Operations], int]]] = (
    ("lookup", Operations.lookup),
    ("lookup, large directory", Operations.lookup_in_large_directory),
    ("lookup of nothing", Operations.lookup_of_nothing),
    ("readdir of 100 names", Operations.list_small_directory),
    ("readdir of a large directory, a name", Operations.list_large_directory),
    ("find -ls, a name", Operations.find),
    ("statfs", Operations.statfs),
    ("cloudfs status", Operations.status),
    ("cloudfs status FILE", Operations.status_of_a_file),
    ("create", Operations.create),
    ("create, large directory", Operations.create_in_large_directory),
    ("rename", Operations.rename),
    ("unlink", Operations.unlink),
    ("unlink of what is stored", Operations.unlink_stored),
    ("chmod", Operations.chmod),
    ("rename of a large directory", Operations.rename_large_directory),
)
"""First what only reads: what changes something has the uploader at work behind it."""


def measure_all(sizes: Sequence[int], place: Path) -> Iterator[Growth]:
    for names in sizes:
        with tempfile.TemporaryDirectory(dir=place) as own:
            yield measure(names, Path(own))
        print(f"growth: {names:,} names", file=sys.stderr, flush=True)


def measure(names: int, place: Path) -> Growth:
    """``place`` is empty before, and for the caller to remove."""
    population = Population(names)
    store, state = place / "store", place / "state"
    store.mkdir()
    state.mkdir()
    populate(population, state / "catalog.db", f"local:{store}", store)
    began = time.monotonic()
    with _mounted(place) as mounted:
        assert mounted.pid is not None
        mount_seconds, resident = time.monotonic() - began, resident_bytes(mounted.pid)
        operations = Operations(mounted, population)
        costs = {name: _cost(operation, operations, mounted.pid) for name, operation in OPERATIONS}
        return Growth(names, costs, mount_seconds, resident, peak_resident_bytes(mounted.pid))


def _cost(operation: Callable[[Operations], int], operations: Operations, pid: int) -> Cost:
    start, used = time.perf_counter(), cpu_seconds(pid)
    times = operation(operations)
    return Cost((time.perf_counter() - start) / times * 1e6, (cpu_seconds(pid) - used) / times * 1e6)


@contextmanager
def _mounted(place: Path) -> Iterator[Mounted]:
    """The mount ends without storing what is left: most of the files that it would move have no bytes."""
    mountpoint = place / "mount"
    mountpoint.mkdir()
    command = [sys.executable, "-m", "cloudfs"]
    options = f"state_dir={place / 'state'},cache_dir={place / 'cache'},dir_cache_time=1d"
    mount = [*command, "mount", f"local:{place / 'store'}", str(mountpoint), "-o", options, "--foreground"]
    with driver(mount, mountpoint) as pid:
        yield Mounted(mountpoint, pid)
        run([*command, "umount", "--no-wait", str(mountpoint)])


def markdown(sizes: Sequence[Growth]) -> str:
    """A row for each operation; first how much of the driver's time the largest size needs, in units of the smallest.

    Times until an operation returned are in parentheses: another process may have had the processor meanwhile.
    """
    titles = " | ".join(f"{size.names:,}" for size in sizes)
    lines = [f"| × | of the driver's time, and (until it returned), µs | {titles} |", f"|--:|---|{'--:|' * len(sizes)}"]
    for operation in sizes[0].costs:
        costs = [size.costs[operation] for size in sizes]
        cells = " | ".join(f"{cost.cpu:,.0f} ({cost.elapsed:,.0f})" for cost in costs)
        lines.append(f"| {costs[-1].cpu / costs[0].cpu:.1f} | {operation} | {cells} |")
    lines += [
        _row("mount, seconds", [size.mount_seconds for size in sizes]),
        _row("driver after the mount, MiB", [size.resident_bytes / 2**20 for size in sizes]),
        _row("driver at most, MiB", [size.peak_bytes / 2**20 for size in sizes]),
    ]
    return "\n".join(lines)


def _row(title: str, values: Sequence[float]) -> str:
    return f"| {values[-1] / values[0]:.1f} | {title} | {' | '.join(f'{value:.1f}' for value in values)} |"
