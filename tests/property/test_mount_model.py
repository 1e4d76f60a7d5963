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


PATIENCE = 20.0
"""Seconds for what a few files need milliseconds for."""


class Subject:
    """The mount under test with the fate of its driver, and a fresh directory for each example.

    The mount is made when it is needed: a failure may have broken it, and the next example is to fail by itself only.
    """

    def __init__(self, home: Path, *, plain: bool) -> None:
        self._home = home
        self._plain = plain
        self._mount: Mount | None = None
        self._numbers = itertools.count()

    @property
    def mount(self) -> Mount | None:
        if self._mount is None and not self._plain:
            home = self._home / f"mount-{next(self._numbers)}"
            home.mkdir()
            self._mount = Mount(home, OPTIONS)
            self._mount.start()
        return self._mount

    def give_up(self) -> None:
        if self._mount is not None:
            self._mount.dispose()
            self._mount = None

    def trees(self) -> tuple[Tree, Tree]:
        """The mount's and the model's."""
        name = f"example-{next(self._numbers)}"
        made = []
        for parent in (self.mount.path if self.mount else self._home / "plain", self._home / "model"):
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
                self.mount.wait(PATIENCE)
            case "empty_cache":
                self.mount.empty_cache()
            case "remount":
                self.mount.umount(PATIENCE)
                self.mount.start()
            case "kill":
                self.mount.kill()
                self.mount.start()
            case "lose":
                self.mount.umount(PATIENCE)
                self.mount.forget_everything()
                self.mount.start()

    def compare_store(self, tree: Tree, model: Tree) -> None:
        """What the store holds once it is told everything: the same files, as plain files."""
        if self.mount is None:
            return
        tree.close_all()
        model.close_all()
        self.mount.wait(PATIENCE)
        stored = Tree(self.mount.store / tree.root.name)
        assert stored.contents() == model.contents()


@pytest.fixture(scope="module")
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    plain = plain_directory(request.config)
    if plain:
        with workspace(Path(plain)) as home:
            yield Subject(home, plain=True)
        return
    require_mounting()
    with workspace() as home:
        under_test = Subject(home, plain=False)
        yield under_test
        under_test.give_up()


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
    except BaseException:
        subject.give_up()
        raise
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
