"""The work, in the order in which it is done: each finds in the mount what the ones before it left there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.sources import Sources

PATCH = 4096
RANDOM_READS = 100


@dataclass(frozen=True, slots=True)
class Scene:
    """Where work is done: a mount, and what there is to be copied into it."""

    mount: Path
    sources: Sources

    @property
    def big(self) -> Path:
        return self.mount / "big.tar"

    @property
    def tree(self) -> Path:
        return self.mount / "tree"

    @property
    def names(self) -> Path:
        return self.mount / "names"


class Start(Enum):
    """On which mount a work is done."""

    HERE = "the one of the work before"
    COLD = "a new one of the same container, that has neither cache nor catalogue"
    FRESH = "a new one of an empty container, that is given up with all that is not stored"


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work. ``needs`` names the work that made what it works on."""

    name: str
    do: Callable[[Scene], None]
    start: Start = Start.HERE
    needs: str = ""
    far: bool = True
    """Also done with the server far away."""
    once: bool = False
    """Takes so long that a system does it in its first run only."""
    writes: bool = True
    """It is not done before everything is stored."""


def write_big(scene: Scene) -> None:
    tool("tar", "--create", "--directory", scene.sources.big.parent, "--file", scene.big, scene.sources.big.name)


def read_big(scene: Scene) -> None:
    tool("sh", "-c", 'cat "$1" | cat >/dev/null', "sh", scene.big)


def patch(scene: Scene) -> None:
    """A few bytes in the middle of a large file, across the blocks of everybody."""
    with open(scene.big, "r+b") as opened:
        opened.seek(scene.big.stat().st_size // 2 + 12_345)
        opened.write(random.Random("patch").randbytes(PATCH))


def append(scene: Scene) -> None:
    with open(scene.big, "ab") as opened:
        opened.write(random.Random("append").randbytes(PATCH))


def rsync_tree(scene: Scene) -> None:
    tool("rsync", "--archive", f"{scene.sources.tree}/", f"{scene.tree}/")


def find_tree(scene: Scene) -> None:
    tool("find", scene.tree, "-ls")


def read_tree(scene: Scene) -> None:
    # tar does not read what it writes to /dev/null.
    tool("sh", "-c", 'tar --create --directory "$1" . | cat >/dev/null', "sh", scene.tree)


def untar(scene: Scene) -> None:
    place = scene.mount / "untar"
    place.mkdir()
    tool("tar", "--extract", "--directory", place, "--file", scene.sources.archive)


def git_clone(scene: Scene) -> None:
    tool("git", "clone", "--quiet", "--no-local", scene.sources.repository, scene.mount / "clone")


def read_here_and_there(scene: Scene) -> None:
    chance = random.Random("reads")
    size = scene.big.stat().st_size
    with open(scene.big, "rb", buffering=0) as opened:
        for _ in range(RANDOM_READS):
            opened.seek(chance.randrange(size // PATCH) * PATCH)
            opened.read(PATCH)


def move_tree(scene: Scene) -> None:
    tool("mv", scene.tree, scene.mount / "moved")


def remove_tree(scene: Scene) -> None:
    tool("rm", "-rf", scene.mount / "moved")


def make_names(scene: Scene) -> None:
    """The plainest way a program can: open, close."""
    scene.names.mkdir()
    for number in range(scene.sources.sizes.names):
        os.close(os.open(scene.names / f"{number:07}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def find_names(scene: Scene) -> None:
    tool("find", scene.names, "-ls")


def list_names(scene: Scene) -> None:
    tool("ls", "-f", scene.names)


WORKS: Sequence[Work] = (
    Work("big tar", write_big),
    Work("big read, warm", read_big, needs="big tar", far=False, writes=False),
    Work("patch of 4 KiB", patch, needs="big tar"),
    Work("append of 4 KiB", append, needs="big tar"),
    Work("rsync of the tree", rsync_tree),
    Work("find -ls, warm", find_tree, needs="rsync of the tree", far=False, writes=False),
    Work("tree read, warm", read_tree, needs="rsync of the tree", far=False, writes=False),
    Work("untar", untar, far=False),
    Work("git clone", git_clone, far=False),
    Work("find -ls, cold", find_tree, Start.COLD, needs="rsync of the tree", writes=False),
    Work("tree read, cold", read_tree, Start.COLD, needs="rsync of the tree", writes=False),
    Work("100 random reads, cold", read_here_and_there, Start.COLD, needs="big tar", writes=False),
    Work("big read, cold", read_big, Start.COLD, needs="big tar", writes=False),
    Work("mv of the tree", move_tree, needs="rsync of the tree"),
    Work("rm -rf of the tree", remove_tree, needs="mv of the tree"),
    Work("empty files", make_names, Start.FRESH, far=False, once=True, writes=False),
    Work("find -ls in a large directory", find_names, needs="empty files", far=False, once=True, writes=False),
    Work("ls -f of a large directory", list_names, needs="empty files", far=False, once=True, writes=False),
)


def chosen(patterns: Iterable[str]) -> Sequence[Work]:
    """The works whose names match (as a shell matches names of files), and those they need. Raises `ValueError`."""
    wanted: set[str] = set()
    for pattern in patterns:
        found = {work.name for work in WORKS if fnmatch(work.name, pattern)}
        if not found:
            raise ValueError(f"no work is called {pattern!r}; there is {', '.join(work.name for work in WORKS)}")
        wanted |= found
    for work in reversed(WORKS):
        if work.name in wanted and work.needs:
            wanted.add(work.needs)
    return [work for work in WORKS if work.name in wanted]


def tool(*command: str | Path) -> None:
    """Run a program; whoever loses patience with it ends all its processes."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, process_group=0)
    try:
        status = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if status:
        raise subprocess.CalledProcessError(status, list(map(str, command)))
