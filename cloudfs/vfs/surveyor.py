"""Lists directories at the store, and merges what it says, a moment's work at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.merging import Merging, Stale
from cloudfs.catalog.survey import Doubtful, Survey
from cloudfs.errors import NotFound, StoreError, Unavailable
from cloudfs.stores.base import Entry, Store
from cloudfs.types import ROOT, Inode
from cloudfs.writeback.health import Health

_log = logging.getLogger(__name__)
_WITNESSES = 16
"""Objects that are asked for at once."""
_MOST_WITNESSES = 4096
"""Objects that are asked for in one directory; what is doubtful beyond is left for the next listing."""


class _Unanswered:
    """The store did not say, or was not asked."""


UNANSWERED = _Unanswered()
Answer = Entry | None | _Unanswered
"""What the store says of an object; None: there is none."""


class Moving(Unavailable):
    """The uploader may have moved the directory while it was listed: look again."""


class Surveyor:
    """Brings the catalogue up to date with the store, directory by directory."""

    def __init__(
        self, catalog: Catalog, store: Store, merging: Merging, health: Health, stale: Callable[[Stale], None]
    ) -> None:
        """``stale`` is told of every name that the kernel should forget."""
        self._catalog = catalog
        self._links = catalog.links
        self._store = store
        self._merging = merging
        self._health = health
        self._stale = stale

    @property
    def tick(self) -> int:
        """To be given as ``since`` for what the store is asked from now on."""
        return self._links.tick

    async def survey(self, ino: Inode) -> None:
        """List a directory, and merge it page by page. Raises `Moving`, `NotFound` if it is gone, store errors."""
        link = self._links.directory(ino)
        since = self._links.tick
        survey = self._begin(ino, since)
        if link.stored:
            cursor: str | None = None
            while True:
                try:
                    page = await self._store.list(self._links.location(self._links.directory(ino)), cursor)
                except NotFound:
                    self._vanished(ino, since)
                    return
                self._health.answered()
                if self._links.may_have_moved(link, since):
                    raise Moving("what was listed may have been another directory")
                await self._rows(survey, page.entries)
                cursor = page.cursor
                if cursor is None:
                    break
        await self._finish(survey)

    async def take(self, ino: Inode, entries: Sequence[Entry], since: int) -> None:
        """Merge a whole listing that somebody else got, beginning at `tick` ``since``, unless it may be of another."""
        if self._may_be_merged(ino, since):
            survey = self._begin(ino, since)
            await self._rows(survey, entries)
            await self._finish(survey)

    def take_nowait(self, ino: Inode, entries: Sequence[Entry], since: int) -> bool:
        """The same without suspending, for a short listing; False if the store has to be asked about some of it."""
        if not self._may_be_merged(ino, since):
            return True
        survey = self._begin(ino, since)
        if survey.doubtful_rows(entries):
            return False
        self._tell(survey.rows(entries))
        if survey.doubtful_absences():
            return False
        self._tell(survey.finish())
        return True

    def _begin(self, ino: Inode, since: int) -> Survey:
        return Survey(self._catalog, self._merging, ino, since)

    def _may_be_merged(self, ino: Inode, since: int) -> bool:
        try:
            node = self._catalog.nodes.get(ino)
        except NotFound:
            return False
        if node.nlink == 0:
            return False
        link = self._links.directory(ino)
        return link.stored and not self._links.may_have_moved(link, since)

    async def _rows(self, survey: Survey, entries: Sequence[Entry]) -> None:
        doubtful = survey.doubtful_rows(entries)
        if doubtful:
            entries = await self._corrected(survey, entries, doubtful)
        await self._step_by_step(survey.rows(entries))

    async def _corrected(
        self, survey: Survey, entries: Sequence[Entry], doubtful: Sequence[Doubtful]
    ) -> Sequence[Entry]:
        """The rows, with the answers of the store in place of those that were doubtful."""
        answers = await self._ask(doubtful)
        corrected = [entry for entry in entries if entry.name not in answers]
        for one in doubtful:
            answer = answers.get(one.name)
            if isinstance(answer, Entry) and answer.name == one.name and not survey.is_shadow(answer):
                corrected.append(answer)
            elif answer is UNANSWERED:
                survey.spare(one.name)
        return corrected

    async def _finish(self, survey: Survey) -> None:
        doubtful = survey.doubtful_absences()
        if doubtful:
            await self._step_by_step(survey.rows(await self._corrected(survey, (), doubtful)))
        if self._catalog.nodes.get(survey.directory).nlink > 0:
            await self._step_by_step(survey.finish())

    async def _step_by_step(self, steps: Iterator[list[Stale]]) -> None:
        for stale in steps:
            for name in stale:
                self._stale(name)
            await trio.lowlevel.checkpoint()

    def _tell(self, steps: Iterator[list[Stale]]) -> None:
        for stale in steps:
            for name in stale:
                self._stale(name)

    # --- asking about single objects ---------------------------------------------------------------------------------

    async def _ask(self, doubtful: Sequence[Doubtful]) -> dict[bytes, Answer]:
        """What the store says of each."""
        chosen = sorted(doubtful, key=lambda one: not one.certain)[:_MOST_WITNESSES]
        answers: dict[bytes, Answer] = {one.name: UNANSWERED for one in doubtful}
        waiting = iter(chosen)
        async with trio.open_nursery() as nursery:
            for _ in range(min(_WITNESSES, len(chosen))):
                nursery.start_soon(self._ask_some, waiting, answers)
        return answers

    async def _ask_some(self, waiting: Iterator[Doubtful], answers: dict[bytes, Answer]) -> None:
        for one in waiting:
            try:
                answers[one.name] = await self._store.stat(one.location)
            except NotFound:
                answers[one.name] = None
            except StoreError as error:
                _log.debug("no word about %s: %s", one.location, error)

    def _vanished(self, ino: Inode, since: int) -> None:
        """The store does not have the directory where we looked: we moved it meanwhile, or somebody removed it."""
        if ino == ROOT:
            raise Unavailable("the store does not have the directory that is mounted")
        link = self._links.directory(ino)
        if not link.stored or self._links.may_have_moved(link, since):
            raise Moving("the directory is being moved")
        with self._catalog:
            stale = self._merging.vanished(link)
        for each in stale:
            self._stale(each)
        if self._catalog.nodes.get(ino).listed_ns is None:
            raise NotFound("the directory is gone from the store")
