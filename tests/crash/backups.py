"""What servers do all night, over and over: ``python -m tests.crash.backups PROGRAM ROOT SOURCE``.

A number is printed after each round that came to its end, so what it did must be there from then on, whatever happens
to the driver. It ends with status 1 when the file system under ROOT is no more.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from tests.mount.programs import PLAIN


def quietly(*command: str | Path, cwd: Path | None = None) -> None:
    """Raises `subprocess.CalledProcessError`."""
    subprocess.run(command, cwd=cwd, env=PLAIN, check=True, capture_output=True, timeout=90)


def tar(root: Path, source: Path) -> Iterator[None]:
    """Archives kept, and unpacked again beside."""
    for number in itertools.count():
        archive, target = root / f"{number}.tar", root / f"unpacked-{number % 3}"
        quietly("tar", "-C", source, "-cf", archive, ".")
        quietly("rm", "-rf", target)
        target.mkdir()
        quietly("tar", "-C", target, "-xpf", archive)
        yield
        (root / f"{number - 2}.tar").unlink(missing_ok=True)


def rsync(root: Path, source: Path) -> Iterator[None]:
    """Snapshots that share what has not changed, of which the last three are kept."""
    for number in itertools.count():
        link = ["--link-dest", f"../snapshot-{number - 1}"] if number else []
        quietly("rsync", "-aH", *link, f"{source}/", root / "new")
        os.rename(root / "new", root / f"snapshot-{number}")
        yield
        quietly("rm", "-rf", root / f"snapshot-{number - 3}")


def git(root: Path, source: Path) -> Iterator[None]:
    """A repository that grows, and is packed now and then."""
    quietly("git", "init", "-q", "-b", "main", root)
    for number in itertools.count():
        (root / f"file{number % 7}").write_text(f"{number}\n" * 100)
        quietly("git", "add", "-A", cwd=root)
        quietly("git", "commit", "-q", "-m", str(number), cwd=root)
        if number % 10 == 9:
            quietly("git", "gc", "-q", cwd=root)
        yield


def sqlite(root: Path, source: Path) -> Iterator[None]:
    """One row a transaction."""
    with closing(sqlite3.connect(root / "rows.db", isolation_level=None)) as database:
        database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        for number in itertools.count():
            database.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * (number % 3000)))
            yield


PROGRAMS: dict[str, Callable[[Path, Path], Iterator[None]]] = {"tar": tar, "rsync": rsync, "git": git, "sqlite": sqlite}


def main(program: str, root: str, source: str) -> int:
    try:
        for number, _ in enumerate(PROGRAMS[program](Path(root), Path(source))):
            print(number, flush=True)
    except (OSError, sqlite3.Error, subprocess.SubprocessError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
