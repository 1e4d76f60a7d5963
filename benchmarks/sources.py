"""What is copied into a mount: the same bytes under the same names every time, on every machine."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TREE_FILES = 2_450
MEAN_SIZE = 99_000_000 / TREE_FILES
SMALLEST, LARGEST = 1_000, 200_000
"""Bytes of one file of the tree."""
FILES_IN_A_DIRECTORY = 35
SPRING_2020_NS = 1_585_000_000_000_000_000
_ME = {
    **{
        f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in (("NAME", "b"), ("EMAIL", "b"))
    },
    "GIT_AUTHOR_DATE": "2020-03-23T00:00:00Z",
    "GIT_COMMITTER_DATE": "2020-03-23T00:00:00Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is to do: bytes of the big file, files of the tree, names in one directory."""

    big: int
    tree: int
    names: int


@dataclass(frozen=True, slots=True)
class Sources:
    """Where it is."""

    sizes: Sizes
    big: Path
    """It does not compress."""
    tree: Path
    archive: Path
    """The tree as a tar file."""
    repository: Path
    """The tree as a bare git repository of one commit."""


def make_sources(place: Path, sizes: Sizes) -> Sources:
    """``place`` is an empty directory."""
    big, tree = make_big_file(place / "big.bin", sizes.big), make_tree(place / "tree", sizes.tree)
    archive, repository = place / "tree.tar", place / "repository.git"
    _run("tar", "--create", "--directory", str(tree), "--file", str(archive), ".")
    _run("git", "init", "--quiet", "--bare", str(repository))
    for arguments in (["add", "."], ["commit", "--quiet", "--message=tree"]):
        _run("git", f"--git-dir={repository}", f"--work-tree={tree}", *arguments)
    return Sources(sizes, big, tree, archive, repository)


def make_big_file(file: Path, size: int) -> Path:
    """``size`` bytes, to the next lower MiB, that do not compress."""
    chance = random.Random("big")
    with open(file, "wb") as opened:
        for _ in range(size >> 20):
            opened.write(chance.randbytes(1 << 20))
    return file


def make_tree(place: Path, files: int = TREE_FILES) -> Path:
    """Files of 1 to 200 KB, 40 KB in the mean, 35 in a directory, with old times and both usual modes."""
    chance = random.Random("tree")
    for number, size in enumerate(tree_sizes(chance, files)):
        shelf = number // FILES_IN_A_DIRECTORY
        directory = place / f"part-{shelf // 10}" / f"shelf-{shelf:02}"
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"file-{number:04}.dat"
        file.write_bytes(chance.randbytes(size))
        file.chmod(0o755 if number % 10 == 0 else 0o644)
        modified = SPRING_2020_NS + chance.randrange(10**17)
        os.utime(file, ns=(modified, modified))
    return place


def tree_sizes(chance: random.Random, files: int = TREE_FILES) -> Sequence[int]:
    """Many small ones and a few large, as in a home directory; their mean is `MEAN_SIZE` to within a percent."""
    drawn = [chance.expovariate(1 / MEAN_SIZE) for _ in range(files)]
    scale = MEAN_SIZE * files / sum(min(max(size, SMALLEST), LARGEST) for size in drawn)
    return [int(min(max(size * scale, SMALLEST), LARGEST)) for size in drawn]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, env={**os.environ, **_ME}, stdout=subprocess.DEVNULL)
