"""What is copied into a mount: the same bytes under the same names every time, on every machine."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

BIG_FILES = 4
BIG_FILE_SIZE = 128 << 20

TREE_FILES = 2_450
TREE_BYTES = 99_000_000
FILES_IN_A_DIRECTORY = 35
SMALLEST, LARGEST = 1_000, 200_000
"""Bytes of one file of the tree."""

SPRING_2020_NS = 1_585_000_000_000_000_000


def make_big_files(place: Path) -> Path:
    """Four files of 128 MiB that do not compress."""
    place.mkdir(parents=True)
    chance = random.Random("big")
    for number in range(BIG_FILES):
        (place / f"{number}.bin").write_bytes(chance.randbytes(BIG_FILE_SIZE))
    return place


def make_tree(place: Path) -> Path:
    """2,450 files of 1 to 200 KB, 99 MB together, in 70 directories, with old times and both usual modes."""
    chance = random.Random("tree")
    for number, size in enumerate(tree_sizes(chance)):
        shelf = number // FILES_IN_A_DIRECTORY
        directory = place / f"part-{shelf // 10}" / f"shelf-{shelf:02}"
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"file-{number:04}.dat"
        file.write_bytes(chance.randbytes(size))
        file.chmod(0o755 if number % 10 == 0 else 0o644)
        modified = SPRING_2020_NS + chance.randrange(10**17)
        os.utime(file, ns=(modified, modified))
    return place


def tree_sizes(chance: random.Random) -> Sequence[int]:
    """Many small ones and a few large, as in a home directory; their sum is `TREE_BYTES` to within a percent."""
    mean = TREE_BYTES / TREE_FILES
    drawn = [chance.expovariate(1 / mean) for _ in range(TREE_FILES)]
    scale = TREE_BYTES / sum(min(max(size, SMALLEST), LARGEST) for size in drawn)
    return [int(min(max(size * scale, SMALLEST), LARGEST)) for size in drawn]
