"""A mount and a plain directory do the same, whatever is done to them, and whatever happens to the driver meanwhile."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mount.conftest import OPTIONS, plain_directory, require_mounting, watchdog
from tests.mount.driver import Mount, workspace
from tests.property.operations import disturbances, ordinary
from tests.property.tree import Operation, Tree

EXAMPLES = int(os.environ.get("CLOUDFS_TEST_EXAMPLES", "50"))
"""Enough for every commit; set thousands for a night."""


class Subject:
    """The mount under test with the fate of its driver, and a fresh directory for each example."""

    def __init__(self, home: Path, mount: Mount | None) -> None:
        self.home = home
        self.mount = mount
        self._numbers = itertools.count()

    def trees(self) -> tuple[Tree, Tree]:
        """The mount's and the model's."""
        name = f"example-{next(self._numbers)}"
        made = []
        for parent in (self.mount.path if self.mount else self.home / "plain", self.home / "model"):
            parent.mkdir(exist_ok=True)
            (parent / name).mkdir(0o755)
            made.append(Tree(parent / name))
            made[-1].furnish()
        return made[0], made[1]

    def disturb(self, what: str, tree: Tree, model: Tree) -> None:
        if self.mount is None:
            return
        if what in ("remount", "kill", "lose"):
            tree.close_all()
            model.close_all()
        match what:
            case "wait":
                self.mount.wait()
            case "empty_cache":
                self.mount.empty_cache()
            case "remount":
                self.mount.remount()
            case "kill":
                self.mount.kill()
                self.mount.start()
            case "lose":
                self.mount.umount()
                self.mount.forget_everything()
                self.mount.start()

    def compare_store(self, tree: Tree, model: Tree) -> None:
        """What the store holds once it is told everything: the same files, as plain files."""
        if self.mount is None:
            return
        tree.close_all()
        model.close_all()
        self.mount.wait()
        stored = Tree(self.mount.store / tree.root.name)
        assert stored.contents() == model.contents()


@pytest.fixture(scope="module")
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    plain = plain_directory(request.config)
    if plain:
        with workspace(Path(plain)) as home:
            yield Subject(home, None)
        return
    require_mounting()
    with workspace() as home:
        mount = Mount(home, OPTIONS)
        try:
            mount.start()
            yield Subject(home, mount)
        finally:
            mount.dispose()


def check(subject: Subject, operations: list[Operation]) -> None:
    tree, model = subject.trees()
    guard = watchdog(subject.mount) if subject.mount else None
    try:
        for done in operations:
            if done.name in ("wait", "empty_cache", "remount", "kill", "lose"):
                subject.disturb(done.name, tree, model)
                assert tree.contents() == model.contents(), f"after {done}"
            else:
                assert tree.apply(done) == model.apply(done), done
            assert tree.attributes() == model.attributes(), f"after {done}"
        assert tree.contents() == model.contents()
        subject.compare_store(tree, model)
    finally:
        tree.close_all()
        model.close_all()
        shutil.rmtree(model.root)
        shutil.rmtree(tree.root, ignore_errors=True)
        if guard:
            guard.cancel()


bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.timeout(1800)
@bounded
@given(operations=st.lists(ordinary, min_size=20, max_size=80))
def test_what_programs_do(subject: Subject, operations: list[Operation]) -> None:
    check(subject, operations)


@pytest.mark.timeout(1800)
@bounded
@given(
    operations=st.lists(
        st.one_of(ordinary, ordinary, ordinary, ordinary, ordinary, disturbances), min_size=20, max_size=60
    )
)
def test_what_happens_to_the_driver(subject: Subject, operations: list[Operation]) -> None:
    check(subject, operations)


@pytest.mark.timeout(1800)
@settings(bounded, max_examples=max(1, EXAMPLES // 5))
@given(operations=st.lists(ordinary, min_size=20, max_size=60))
def test_what_is_left_when_everything_but_the_store_is_lost(subject: Subject, operations: list[Operation]) -> None:
    check(subject, [*operations, Operation("lose"), Operation("empty_cache")])
