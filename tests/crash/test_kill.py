"""``kill -9`` of the driver: what was acknowledged is there afterwards, and reaches the store.

An operation in flight when the driver dies may be done or not; if it writes, the bytes of its own file may be anything
in between. Of everything else nothing is lost, half done, or back from the dead.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.crash.acknowledged import Writer
from tests.crash.workload import EVERYTHING, drawn
from tests.mount.driver import Mount, kill_and_wait, workspace
from tests.mount.programs import run
from tests.mount.tree import plant
from tests.property.tree import Operation, Tree

SEEDS = int(os.environ.get("CLOUDFS_TEST_KILLS", "20"))
WRITING = frozenset({"put", "append", "write", "rewrite", "truncate", "create"})


@pytest.fixture
def scratch() -> Iterator[Path]:
    """On another file system than the one that dies."""
    with workspace() as home:
        yield home


def state(tree: Tree) -> dict[str, object]:
    attributes, contents = tree.attributes(), tree.contents()
    return {name: (attributes[name], contents[name]) for name in attributes}


def model_after(scratch: Path, operations: Sequence[Operation]) -> Tree:
    root = scratch / f"model-{len(os.listdir(scratch))}"
    root.mkdir(0o755)
    tree = Tree(root)
    for operation in operations:
        tree.apply(operation)
    return tree


def check_acknowledged(found: Tree, operations: Sequence[Operation], acknowledged: int, scratch: Path) -> None:
    before = state(model_after(scratch, operations[:acknowledged]))
    after = state(model_after(scratch, operations[: acknowledged + 1]))
    actual = state(found)
    if actual in (before, after):
        return
    flying = operations[acknowledged] if acknowledged < len(operations) else None
    assert flying is not None and flying.name in WRITING, (flying, differences(before, actual))
    open_to_doubt = names_of_same_file(found, str(flying.arguments[0])) | {"."} | parents(str(flying.arguments[0]))
    wrong = [
        line
        for name, line in differences(before, actual).items()
        if name not in open_to_doubt and after.get(name) != actual.get(name)
    ]
    assert wrong == [], flying


def differences(wanted: dict[str, object], found: dict[str, object]) -> dict[str, str]:
    names = sorted(wanted.keys() | found.keys())
    return {
        name: f"{name}: {str(found.get(name))[:200]} instead of {str(wanted.get(name))[:200]}"
        for name in names
        if wanted.get(name) != found.get(name)
    }


def names_of_same_file(tree: Tree, name: str) -> set[str]:
    path = tree.root / name
    same = [other for other in tree.attributes() if path.exists() and is_same(tree.root / other, path)]
    return {name, *same}


def is_same(path: Path, other: Path) -> bool:
    return path.exists() and os.path.samestat(path.stat(), other.stat())


def parents(name: str) -> set[str]:
    return {str(parent) for parent in Path(name).parents}


def check_store(mount: Mount, directory: str) -> None:
    mount.wait()
    assert Tree(mount.store / directory).contents() == Tree(mount.path / directory).contents()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_at_random_moments(mount: Mount, scratch: Path, seed: int) -> None:
    dice = random.Random(seed)
    source = scratch / "source"
    source.mkdir()
    plant(source, seed=seed, files=100)
    root = mount.path / "tree"
    root.mkdir(0o755)
    pid = int(mount.status()["pid"])
    rsync = subprocess.Popen(["rsync", "-aH", f"{source}/", f"{mount.path}/copy/"], stderr=subprocess.DEVNULL)
    writer = Writer("tests.crash.workload", str(root), str(seed))
    try:
        assert writer.read_until(dice.randrange(1, 600))
    finally:
        kill_and_wait(pid)
        writer.end()
        rsync.kill()  # its processes sometimes wait for each other for ever when the target dies
        rsync.wait(30)
    mount.start()
    check_acknowledged(Tree(root), drawn(seed), writer.acknowledged, scratch)
    run("rsync", "-aH", "--delete", f"{source}/", f"{mount.path}/copy/")
    assert (
        run("rsync", "-aHn", "--delete", "--checksum", "--itemize-changes", f"{source}/", f"{mount.path}/copy/") == ""
    )
    check_store(mount, "tree")
    check_store(mount, "copy")
    assert mount.status()["parked"] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(max(1, SEEDS // 10)))
def test_again_and_again(mount: Mount, scratch: Path, seed: int) -> None:
    """Killed while it recovers from having been killed."""
    dice = random.Random(seed)
    expected = []
    for turn in range(5):
        root = mount.path / f"turn{turn}"
        root.mkdir(0o755)
        pid = int(mount.status()["pid"])
        writer = Writer("tests.crash.workload", str(root), str(seed))
        try:
            assert writer.read_until(dice.randrange(1, 200))
        finally:
            kill_and_wait(pid)
            writer.end()
        expected.append(writer.acknowledged)
        mount.start()
        for earlier, acknowledged in enumerate(expected):
            check_acknowledged(Tree(mount.path / f"turn{earlier}"), drawn(seed), acknowledged, scratch)
    for turn in range(5):
        check_store(mount, f"turn{turn}")


@pytest.mark.timeout(3600)
def test_at_every_durable_step(mount_with: Callable[..., Mount], scratch: Path) -> None:
    """``CLOUDFS_CRASH_AT=n`` kills the driver at its n-th durable step; n grows until nothing is left to kill."""
    for step in range(1, 2_000):
        if not crash_and_recover(mount_with, scratch, step):
            assert step > len(EVERYTHING), "the driver knows nothing of CLOUDFS_CRASH_AT"
            return
    raise AssertionError("the workload never completed")


def crash_and_recover(mount_with: Callable[..., Mount], scratch: Path, step: int) -> bool:
    """Whether the driver died on the way."""
    mount = mount_with(started=False)
    crashing = Mount(mount.home, mount.options, environment={"CLOUDFS_CRASH_AT": str(step)})
    acknowledged, root, completed = 0, mount.path / "tree", False
    (mount.store / "tree").mkdir()
    if crashing.try_start().returncode == 0:
        writer = Writer("tests.crash.workload", str(root), "everything")
        writer.end()
        acknowledged = writer.acknowledged
        commands = (("wait", str(mount.path)), ("umount", str(mount.path)))
        completed = all(crashing.command(*command).returncode == 0 for command in commands)
    mount.start()
    check_acknowledged(Tree(root), EVERYTHING, acknowledged, scratch)
    shown = Tree(root).contents()
    mount.umount()
    assert Tree(mount.store / "tree").contents() == shown
    assert sorted(os.listdir(mount.store)) == ["tree"], f"litter at the store after step {step}"
    mount.dispose()
    return not completed
