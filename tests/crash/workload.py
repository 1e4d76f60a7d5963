"""Operations on a tree, done in a process of their own, which says after each one that it returned.

``python -m tests.crash.workload ROOT WORKLOAD`` prints a number for each operation done, and ends with status 1 when
the file system under ROOT is no more. The log goes to a pipe, and so outlives the driver.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tests.property.tree import EXCHANGE, Operation, Tree

GONE = ("ENOTCONN", "ECONNABORTED", "EIO")
"""EIO is what ``close()`` says of bytes that the kernel could not hand over any more; after that, names which it
remembers to be absent go on failing with ENOENT for a while, as if the file system were alive."""

EVERYTHING = (
    Operation("mkdir", ("d", 0o755)),
    Operation("put", ("d/a", b"first " * 40_000, 0o640, 1_111_111_111)),
    Operation("put", ("b", b"second", 0o600, 2_222_222_222)),
    Operation("append", ("b", b" and more")),
    Operation("put", (".d.a.temporary", b"replaces" * 1_000, 0o644, 3_333_333_333)),
    Operation("rename", (".d.a.temporary", "d/a", 0)),
    Operation("link", ("b", "d/b")),
    Operation("symlink", ("d/a", "link")),
    Operation("write", ("d/a", 4_000, b"patched")),
    Operation("mkdir", ("d/e", 0o700)),
    Operation("rename", ("d", "moved", 0)),
    Operation("fsync", ("moved/a",)),
    Operation("rename", ("b", "moved/a", EXCHANGE)),
    Operation("chmod", ("b", 0o751)),
    Operation("chown", ("link", 1000, 1001)),
    Operation("utimens", ("moved/e", 4_444_444_444)),
    Operation("truncate", ("b", 5_000)),
    Operation("unlink", ("moved/b",)),
    Operation("rmdir", ("moved/e",)),
    Operation("mkfifo", ("fifo",)),
    Operation("utimens", ("moved", 5_555_555_555)),
)
"""Each kind of change once, in an order in which the later ones undo, move and replace what the earlier ones made."""


def drawn(seed: int, count: int = 2_000) -> tuple[Operation, ...]:
    """Backups for ever: files put under a temporary name and renamed, changed, linked, moved and removed."""
    dice = random.Random(seed)
    directories = [f"d{number}" for number in range(8)]
    operations = [Operation("mkdir", (name, 0o755)) for name in directories]
    while len(operations) < count:
        name = f"{dice.choice(directories)}/f{dice.randrange(12)}"
        other = f"{dice.choice(directories)}/f{dice.randrange(12)}"
        data = bytes([dice.randrange(1, 256)]) * dice.choice([0, 1, 100, 5_000, 70_000, 300_000])
        operations += dice.choice(
            [
                [
                    Operation("put", ("temporary", data, 0o644, dice.randrange(10**17))),
                    Operation("rename", ("temporary", name, 0)),
                ],
                [Operation("put", (name, data, 0o600, dice.randrange(10**17)))],
                [Operation("append", (name, data))],
                [Operation("write", (name, dice.randrange(100_000), data))],
                [Operation("link", (name, other))],
                [Operation("rename", (name, other, 0))],
                [Operation("unlink", (name,))],
                [Operation("utimens", (name, dice.randrange(10**17))), Operation("chmod", (name, 0o400))],
                [Operation("fsync", (name,))],
                [Operation("symlink", (other, name))],
                [Operation("rename", (dice.choice(directories), "aside", 0)), Operation("rename", ("aside", "d0", 0))],
            ]
        )
    return tuple(operations)


def named(workload: str) -> tuple[Operation, ...]:
    return EVERYTHING if workload == "everything" else drawn(int(workload))


def main(root: str, workload: str) -> int:
    tree = Tree(Path(root))
    for number, operation in enumerate(named(workload)):
        if tree.apply(operation) in GONE:
            return 1
        print(number, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
