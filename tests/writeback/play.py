"""Plays a script on a mount and on a model, through the deaths of the driver, and compares them all the time."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import trio

from cloudfs.errors import CloudfsError, QuotaExceeded, Unavailable
from cloudfs.stores.base import Capabilities
from cloudfs.stores.faults import Cut, LoseAnswer, Refuse, Weather
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from tests.writeback.model import Model, Thing, View, assert_same, timeless
from tests.writeback.rig import Rig, mounted
from tests.writeback.script import Act, Step, settled
from tests.writeback.views import UNREADABLE, dump, left_over, mount_view, store_view

_TIDYING_SECONDS = 400.0
"""Within which the store is told what it need not keep, also after failures."""
FURNITURE: list[Step] = [
    Act("make", (b"a", stat.S_IFDIR | 0o755)),
    Act("make", (b"a/b", stat.S_IFDIR | 0o755)),
    Act("create", (b"a/b/a", b"first")),
    Act("create", (b"a/c", b"second")),
    Act("create", (b"b", b"third" * 2000)),
]


class Play:
    """One store, one model, and a mount that is started again and again."""

    def __init__(self, home: Path, can: Capabilities, *, piece_size: int = 0, cache_size: int = 1 << 30) -> None:
        self.model = Model()
        self.tree = MemoryTree()
        self.store = MemoryStore(self.tree, can, piece_size=piece_size)
        self._pieces_may_leak = False
        self._home = home
        self._cache_size = cache_size
        self._lives = 0
        self._murdered = False
        """The driver before this one was killed, and may have moved what this one has not found yet."""
        self._stack = AsyncExitStack()
        self._handles: dict[int, tuple[int, Thing]] = {}
        self._possible: list[Model] = []

    async def perform(self, script: list[Step]) -> None:
        """The script, then the end: everything is stored, and nothing else is left."""
        async with self._stack:
            await self._mount()
            for step in [*FURNITURE, *script]:
                await self._step(settled(step, self.model))
            await self.finish()

    async def _step(self, step: Step) -> None:
        if isinstance(step, Act):
            await self._act(step)
        else:
            self._possible = [self.model]
            await getattr(self, step.method)(*step.arguments)
        self.rig.catalog.database.settle()
        if self.rig.death.happened:
            await self._bury()
        await self.compare()

    # --- the mount and its deaths ------------------------------------------------------------------------------------

    async def _mount(self) -> None:
        self._lives += 1
        here, heir = self._life(self._lives), self._life(self._lives + 1)
        self.rig: Rig = await self._stack.enter_async_context(
            mounted(here, self.store, heir=heir, cache_size=self._cache_size)
        )
        await mount_view(self.rig)  # a name that is not known yet needs the network, and this is not about that

    def _life(self, number: int) -> Path:
        return self._home / f"life-{number}"

    async def _bury(self) -> None:
        """The driver was killed: what the next one finds must be one of the states that are possible by now."""
        self._murdered = self._pieces_may_leak = True
        self._handles.clear()
        await self._stack.aclose()
        await self._mount()
        found = timeless(await mount_view(self.rig))
        unreadable = [path for path, row in found.items() if row.data == UNREADABLE]
        for model in self._possible:
            if _without(model.view(), unreadable) == _without(found, unreadable):
                self.model = model
                return
        raise AssertionError(f"after a kill there is {found}, which is none of {[m.view() for m in self._possible]}")

    async def compare(self) -> None:
        """No byte and no name is ever missing."""
        found = timeless(await mount_view(self.rig))
        expected = self.model.view()
        unreadable = [path for path, row in found.items() if row.data == UNREADABLE]
        assert_same(_without(found, unreadable), _without(expected, unreadable), "in the mount")
        assert not unreadable or self.rig.plan.weather is not Weather.FAIR or self._murdered

    # --- what applications do ----------------------------------------------------------------------------------------

    async def _act(self, act: Act) -> None:
        before = self.model.copy()
        expected = _outcome_of_model(self.model, act)
        self._possible = [self.model, before]
        if act.method == "create" and not expected:
            halfway = before.copy()
            halfway.create(act.arguments[0], b"")
            self._possible.append(halfway)
        failure = await _outcome(self.rig, act)
        assert bool(failure) == bool(expected), f"{act}: {failure or 'worked'}, but the model: {expected or 'worked'}"

    async def open(self, slot: int, path: bytes) -> None:
        await self.close(slot)
        try:
            thing = self.model.find(path)
            node = await self.rig.resolve(path)
        except CloudfsError:
            return
        if node.is_regular:
            self._handles[slot] = self.rig.files.open(node.ino, os.O_RDWR), thing

    async def write_open(self, slot: int, data: bytes, offset: int) -> None:
        if slot in self._handles:
            handle, thing = self._handles[slot]
            before = self.model.copy()
            self.model.write_thing(thing, data, offset)
            self._possible = [self.model, before]
            await self.rig.write_handle(handle, offset, data)
            with _told_that_it_is_parked():
                self.rig.files.flush(handle)
            if self.rig.death.happened:
                return
            try:
                assert await self.rig.read_handle(handle) == thing.data
            except Unavailable:
                assert self.rig.plan.weather is not Weather.FAIR

    async def close(self, slot: int) -> None:
        if slot in self._handles:
            handle, _ = self._handles.pop(slot)
            self.rig.files.release(handle)
            self.rig.forget()

    # --- what happens meanwhile --------------------------------------------------------------------------------------

    async def progress(self, ticks: int) -> None:
        """The uploader does something, and stops in the middle of it."""
        self.rig.hasten()
        for _ in range(ticks):
            await trio.lowlevel.checkpoint()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def list(self, path: bytes) -> None:
        try:
            node = await self.rig.resolve(path)
        except CloudfsError:
            return
        if node.is_directory:
            await self.rig.directories.opened(node.ino)

    async def drain(self) -> None:
        """With all files closed: what is open and deleted stays at the store, to be read."""
        await self._close_handles()
        self.rig.plan.clear()
        await self.rig.drain()

    async def press(self) -> None:
        """The disk is needed for something else."""
        if self.rig.ahead is not None:
            self.rig.ahead.make_room()
            await trio.sleep(0.3)

    async def lose_cache(self) -> None:
        self.rig.cache.shrink(0)

    async def refuse(self, method: str, times: int) -> None:
        self.rig.plan.add(method, Refuse(), times=times)

    async def lose_answer(self, method: str, times: int) -> None:
        self._pieces_may_leak = True
        self.rig.plan.add(method, LoseAnswer(), times=times)

    async def cut(self, after: int) -> None:
        self._pieces_may_leak = True
        self.rig.plan.add("put", Cut(after))

    async def weather(self, weather: Weather) -> None:
        self.rig.plan.weather = weather

    async def kill(self, steps: int) -> None:
        """At that durable step from now on, whatever it will be."""
        self.rig.death.countdown = steps

    async def kill_now(self) -> None:
        self.rig.death.now()

    async def remount(self) -> None:
        """An orderly end, with uploads under way, and a new start with the same state and cache."""
        await self._close_handles()
        await self._stack.aclose()
        self._pieces_may_leak = True
        if self.rig.death.happened:
            self._murdered = True
        else:
            shutil.copytree(self._life(self._lives), self._life(self._lives + 1))
        await self._mount()

    async def lose_everything(self) -> None:
        """Once all is stored, state and cache are gone: the store alone tells the next mount what there is."""
        await self._close_handles()
        await self.drain()
        if not self.rig.death.happened:
            await self._stack.aclose()
            await self._mount()

    async def _close_handles(self) -> None:
        for slot in list(self._handles):
            await self.close(slot)

    # --- the end -------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        if self.rig.death.happened:  # since the last step
            await self._bury()
        rig = self.rig
        await self._close_handles()
        rig.death.countdown = None
        await self.drain()
        mounted_now = await mount_view(rig)
        assert_same(timeless(mounted_now), self.model.view(), "in the mount, at the end")
        stored = store_view(self.tree, hard_links=self.store.capabilities.hard_links)
        assert_same(stored, mounted_now, "at the store")
        await trio.sleep(_TIDYING_SECONDS)
        assert (rest := left_over(rig)) == [], rest
        leaked = [token for token in self.tree.pieces if not self.tree.owns(token)]
        assert not leaked or self._pieces_may_leak, leaked
        await self._listing_changes_nothing(mounted_now)
        if self.store.capabilities.attributes:
            await self._stack.aclose()
            await self._mount()
            assert_same(await mount_view(self.rig), mounted_now, "in a fresh mount")

    async def _listing_changes_nothing(self, view: View) -> None:
        before = dump(self.rig)
        self.rig.stale.clear()
        for path in [b"", *view]:
            await self.list(path)
        assert (after := dump(self.rig)) == before, (after, before)
        assert (stale := self.rig.stale) == [], stale


def _without(view: View, paths: list[bytes]) -> dict[bytes, Any]:
    return {path: row for path, row in view.items() if path not in paths}


def _outcome_of_model(model: Model, act: Act) -> str:
    try:
        getattr(model, act.method)(*act.arguments)
    except CloudfsError as error:
        return type(error).__name__
    return ""


@contextmanager
def _told_that_it_is_parked() -> Iterator[None]:
    """close() has done all there is to do when it says that the store takes none of it."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise


async def _outcome(rig: Rig, act: Act) -> str:
    try:
        with _told_that_it_is_parked():
            await getattr(rig, act.method)(*act.arguments)
    except (Unavailable, QuotaExceeded):
        raise
    except CloudfsError as error:
        return type(error).__name__
    return ""
