"""Makes the store what the catalogue wants it to be: takes what is due, plans, performs, and tries again for ever.

Nothing is ever dropped. What fails is due again later, with back-off; what time alone does not cure is parked with
its reason, where a person sees it, and looked at again now and then.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.errors import (
    DISK_ERRORS,
    AccessDenied,
    BrokenAnswer,
    CloudfsError,
    Incomplete,
    LocalFailure,
    NameRefused,
    QuotaExceeded,
    SignInRequired,
    StoreError,
    TooLarge,
    Unavailable,
)
from cloudfs.stores.base import Capabilities
from cloudfs.types import ROOT, LinkId
from cloudfs.writeback.backoff import PARKED, delay
from cloudfs.writeback.contents import Revoked
from cloudfs.writeback.courtesy import Courtesy
from cloudfs.writeback.facts import FactFinder
from cloudfs.writeback.health import Health
from cloudfs.writeback.perform import Performer
from cloudfs.writeback.plan import Action, Step, aside_name, plan
from cloudfs.writeback.progress import Progress
from cloudfs.writeback.turns import Place, Turns
from cloudfs.writeback.waiting import Waiting

_log = logging.getLogger(__name__)
_BATCH = 64
_REFILL = 8
"""Such a part of the names has to be done before others are looked for, among all those that are under way."""
_IDLE_NS = 60_000_000_000
_LOOK_AGAIN_NS = 50_000_000
_REVOKED_NS = 1_000_000_000
_SIGN_IN_RETRY = 30.0
_BROKEN_SECONDS = 5.0
_HERE = (Step.SPLIT, Step.INHERIT, Step.TAKE_OVER, Step.FORGET, Step.DONE)
_SAYS_LITTLE = (*_HERE, Step.FIND_OUT)
"""Steps that succeed also while the store takes nothing."""
_REARRANGING = (Step.FIND_OUT, Step.MOVE, Step.MOVE_ASIDE, Step.SPLIT, Step.TAKE_OVER, Step.DELETE)
_PERMANENT = (QuotaExceeded, AccessDenied, NameRefused, TooLarge, Incomplete)


class Outcome(Enum):
    """What came of the turn of one name."""

    TRIED = auto()
    """Something was done, or failed."""
    WAITS = auto()
    """Others come first, or there was nothing to do."""
    RESTS = auto()
    """It is in use, or was written to while it was being sent: left alone for a while."""


class Uploader:
    """Works through everything pending with at most ``limit`` names at a time; owns its tasks.

    `kick` after a change of the catalogue; whoever waits for the backlog waits for `progressed`.
    """

    def __init__(
        self,
        catalog: Catalog,
        performer: Performer,
        health: Health,
        capabilities: Capabilities,
        limit: int,
        quiet: Callable[[Link], float],
        busy: Callable[[], bool],
        progress: Progress,
    ) -> None:
        """``quiet(link)`` says for how many seconds a name should be left alone because it is just being written.

        While ``busy()``, applications are at work: uploads hold back, at first altogether, unless asked to `hurry`.
        ``progress`` is made when something has been stored, or failed.
        """
        self._catalog = catalog
        self._performer = performer
        self._health = health
        self._capabilities = capabilities
        self._limit = limit
        self._quiet = quiet
        self._facts = FactFinder(catalog, quiet)
        self._busy = busy
        self._courtesy = Courtesy(capabilities.round_trip, limit)
        self._hurried = False
        self._refusals = 0
        self._rests_until = 0.0
        self._insisted: set[LinkId] = set()
        self._active: set[LinkId] = set()
        self._turns = Turns(catalog.links)
        self._waiting = Waiting()
        self._wake = trio.Event()
        self._sleeps_until_ns = 0
        self._progress = progress

    def kick(self, due_ns: int = 0) -> None:
        """There is work that is due at ``due_ns``; now, if not said."""
        if due_ns < self._sleeps_until_ns:
            self._wake.set()

    def hurry(self) -> None:
        """Somebody waits for the uploads: do not hold back until everything due is done."""
        self._hurried = True
        self._wake.set()

    def end_rest(self) -> None:
        """A person says that the store may be asked again."""
        self._rests_until = 0.0

    def insist(self, link: LinkId) -> None:
        """Somebody waits for this name: send it, and what has to go before it, although files are open."""
        for each in (link, *self._waiting.ahead_of(link)):
            self._insisted.add(each)
            self._catalog.pending.hasten(each, time.time_ns())
        self.hurry()

    def make_room(self) -> None:
        """The disk is needed: send now whatever may be sent."""
        self._catalog.pending.hasten_all(time.time_ns())
        self.hurry()

    def is_working(self) -> bool:
        return bool(self._active)

    @property
    def next_progress(self) -> trio.Event:
        """Set when something has been stored, or failed, after this was asked for."""
        return self._progress.next

    async def progressed(self) -> None:
        """Return when something has been stored, or failed."""
        await self._progress.wait()

    async def run(self) -> None:
        """For ever; cancel it to stop. What was under way is simply done again by the next mount."""
        async with trio.open_nursery() as nursery:
            while True:
                self._wake = trio.Event()
                self._start_due(nursery)
                self._sleeps_until_ns = self._next_due_ns()
                with trio.move_on_after(max((self._sleeps_until_ns - time.time_ns()) / 1e9, 0)):
                    await self._wake.wait()

    def _start_due(self, nursery: trio.Nursery) -> None:
        self._waiting.gone(self._catalog.links.take_dropped())
        allowed = self._allowed()
        if allowed - len(self._active) < max(1, allowed // _REFILL):
            return
        limit = min(allowed, len(self._active) + _BATCH)
        for link in self._catalog.pending.due(time.time_ns(), limit + _BATCH + len(self._waiting)):
            if len(self._active) >= limit:
                self._wake.set()  # after whoever waits for the event loop has had his turn
                return
            if link not in self._active and link not in self._waiting:
                self._active.add(link)
                nursery.start_soon(self._advance, link)
        if not self._active:
            self._hurried = False

    def _allowed(self) -> int:
        """How many names may be worked on now."""
        now = trio.current_time()
        if self._refusals:
            return int(now >= self._rests_until)
        return self._courtesy.allowed(now, busy=not self._hurried and self._busy())

    def _next_due_ns(self) -> int:
        """When to look again if nothing happens before; everything that ends wakes us as well."""
        now = time.time_ns()
        if self._refusals:
            return now + int(max(self._rests_until - trio.current_time(), 0.1) * 1e9)
        if self._courtesy.is_holding_back:
            return now + _LOOK_AGAIN_NS
        latest = now + _IDLE_NS
        if len(self._active) >= self._limit:
            return latest
        due = self._catalog.pending.next_due_ns(now)
        return latest if due is None else min(max(due, now + 1_000_000), latest)

    # --- one name ------------------------------------------------------------------------------------------------

    async def _advance(self, link_id: LinkId) -> None:
        """One step for one name, never raising; afterwards it is settled, due again, deferred or waiting."""
        outcome = Outcome.TRIED
        try:
            outcome = await self._try_step(link_id)
            if outcome is Outcome.RESTS:
                self._postpone_those_behind(link_id)
        except DISK_ERRORS as error:
            _log.warning("the catalogue cannot be written; it will be tried again: %s", error)
            await trio.sleep(_BROKEN_SECONDS)
        except Exception:
            _log.exception("unexpected failure of the uploader; it will be tried again")
            await trio.sleep(_BROKEN_SECONDS)
        finally:
            self._active.discard(link_id)
            self._insisted.discard(link_id)
            self._done(link_id, outcome)

    async def _try_step(self, link_id: LinkId) -> Outcome:
        """Raises only if what happened cannot be written down."""
        try:
            return await self._step(link_id)
        except Revoked:
            self._catalog.pending.defer(link_id, time.time_ns() + _REVOKED_NS)
            self._progress.made()
            return Outcome.RESTS
        except CloudfsError as error:
            self._failed(link_id, error)
        except DISK_ERRORS as error:
            self._failed(link_id, LocalFailure(f"the disk of this machine: {error}"))
        except Exception as error:
            _log.exception("unexpected failure while storing; it will be tried again")
            self._failed(link_id, LocalFailure(f"internal error: {error!r}"))
        return Outcome.TRIED

    async def _step(self, link_id: LinkId) -> Outcome:
        self._waiting.held_up.pop(link_id, None)
        link = self._catalog.links.get(link_id)
        if link is None or link.pending_ns is None:
            return Outcome.WAITS
        quiet = self._quiet(link)
        if quiet > 0 and not self._cannot_wait(link):
            self._catalog.pending.defer(link_id, time.time_ns() + int(quiet * 1e9))
            return Outcome.RESTS
        doubted = self._doubted_above(link) or self._doubted_there(link) or self._doubted_beside(link)
        if doubted is not None:
            self._wait(link, doubted)
            return Outcome.WAITS
        action = self._plan(link)
        if action.step is Step.WAIT and action.other is not None:
            self._wait(link, action.other)
            return Outcome.WAITS
        other = self._turns.take(link, self._rearranged_by(link, action), self._also_touched_by(link, action))
        if other is not None:
            self._wait(link, other)
            return Outcome.WAITS
        self._catalog.links.claim(link.id)
        try:
            if action.step in _HERE:
                self._performer.perform_here(link, action)
            else:
                await self._performer.perform(link, action)
        finally:
            self._catalog.links.release(link.id, self._turns.give_back(link))
        if action.step not in _SAYS_LITTLE:
            self._recovered()
        return Outcome.TRIED

    def _cannot_wait(self, link: Link) -> bool:
        """Whether somebody needs what is to be done for a name although its file is in use."""
        if not link.doomed:
            return link.id in self._insisted or self._catalog.doubts.get(link.id) is not None
        return self._waiting.is_awaited(link.id) and link.at_name != aside_name(link.id)

    def _rearranged_by(self, link: Link, action: Action) -> list[int]:
        """The directories inside which nothing else may happen during the action."""
        if not self._catalog.nodes.get(link.ino).is_directory or action.step not in _REARRANGING:
            return []
        other = None if action.other is None else self._catalog.links.get(action.other)
        return [link.ino] if other is None else [link.ino, other.ino]

    def _also_touched_by(self, link: Link, action: Action) -> list[Place]:
        """Places that an action may change besides those of the name."""
        doubt = self._catalog.doubts.get(link.id)
        if action.step is Step.FIND_OUT and doubt is not None:
            return [(doubt.parent, doubt.name)]
        return [(ROOT, aside_name(link.id))] if action.step is Step.MOVE_ASIDE else []

    def _doubted_above(self, link: Link) -> LinkId | None:
        """A directory on the way to a name, of which nobody knows whether it was moved."""
        doubts, links = self._catalog.doubts, self._catalog.links
        if not doubts:
            return None
        above = (ino for start in (link.at_parent, link.parent) for ino in links.actual_ancestors(start or 0))
        return next((found for ino in above if doubts.get(found := links.directory(ino).id) is not None), None)

    def _doubted_there(self, link: Link) -> LinkId | None:
        """Another name, of which something may be where this one is to go, and nobody has seen it."""
        doubts = self._catalog.doubts
        if link.parent is None or link.name is None or doubts.get(link.id) is not None:
            return None
        holder = doubts.holder(link.parent, link.name)
        return None if holder == link.id else holder

    def _doubted_beside(self, link: Link) -> LinkId | None:
        """Another name of the file, of which nobody knows what its object holds, if that may be needed for this one."""
        doubts = self._catalog.doubts
        if not doubts or doubts.get(link.id) is not None:
            return None
        if not link.doomed:
            holder = self._catalog.links.holder(link.ino, self._catalog.nodes.get(link.ino).content, link.id)
            if holder is not None and doubts.get(holder.id) is None:
                return None
        return doubts.beside(link.ino, link.id)

    def _plan(self, link: Link) -> Action:
        facts = self._facts.find(link)
        action = plan(facts, self._capabilities)
        if action.step is Step.WAIT and action.other is not None and self._waiting.is_ring(link.id, action.other):
            if link.at_name == aside_name(link.id):
                return action  # out of everybody's way already: the others will see that when they look again
            action = plan(replace(facts, ring=True), self._capabilities)
            self._waiting.end(action.other or link.id)
        return action

    # --- waiting for each other --------------------------------------------------------------------------------------

    def _wait(self, link: Link, other: LinkId) -> None:
        """Look again when ``other`` got somewhere. If it is failing, so is this one, for its reason."""
        blocker = self._catalog.links.get(other)
        if blocker is None or (blocker.pending_ns is None and other not in self._active):
            self._catalog.pending.defer(link.id, time.time_ns() + 10_000_000)
            return
        if blocker.attempts or blocker.parked or other in self._waiting.held_up:
            self._waiting.held_up[link.id] = other
            due = max(blocker.pending_ns or 0, time.time_ns()) + 1_000_000
            self._catalog.pending.defer(link.id, due)
            return
        self._waiting.begin(link.id, other)
        self._catalog.pending.hasten(other, time.time_ns())

    def _done(self, link: LinkId, outcome: Outcome) -> None:
        if link not in self._waiting:
            self._waiting.wake(link)
        if outcome is Outcome.TRIED:
            self._progress.made()
        self._wake.set()

    def _postpone_those_behind(self, link_id: LinkId) -> None:
        """They look again when it does: at once they would only wait for it once more."""
        link = self._catalog.links.get(link_id)
        due = max((link.pending_ns if link is not None else None) or 0, time.time_ns()) + 1_000_000
        for waiter in self._waiting.hold_up(link_id):
            self._catalog.pending.defer(waiter, due)

    # --- failures ------------------------------------------------------------------------------------------------

    def _failed(self, link_id: LinkId, error: CloudfsError) -> None:
        link = self._catalog.links.get(link_id)
        if link is None:
            return
        general = isinstance(error, (Unavailable, SignInRequired)) and not isinstance(error, BrokenAnswer)
        parked = isinstance(error, _PERMANENT)
        wait = PARKED if parked else delay(link.attempts, random.random(), getattr(error, "retry_after", None))
        if general:
            wait = self._rest(error)
        elif link.doomed and not link.stored:
            wait, parked = 0.0, False  # it was deleted meanwhile: nothing failed
        elif link.attempts == 0 or parked:
            where = self._catalog.links.path(link).decode(errors="backslashreplace")
            _log.warning("%s: not stored yet: %s%s", where, error, " (parked)" if parked else "")
        if isinstance(error, StoreError) and not isinstance(error, BrokenAnswer):
            self._health.failed(error)  # a broken answer is about this file, and says that the store is there
        due = time.time_ns() + int(wait * 1e9)
        self._catalog.pending.failed(link_id, due, str(error), parked=parked, away=general)

    def _rest(self, error: CloudfsError) -> float:
        """The store answers nobody: leave it alone for a while, with everything. Returns for how long, in seconds."""
        wait = delay(self._refusals, random.random(), getattr(error, "retry_after", None))
        if isinstance(error, SignInRequired):
            wait = _SIGN_IN_RETRY
        if trio.current_time() >= self._rests_until:
            self._refusals += 1
            self._rests_until = trio.current_time() + wait
        return wait

    def _recovered(self) -> None:
        """The store did something for us. What waited for that need not wait any longer."""
        if self._refusals:
            self._refusals = 0
            self._rests_until = 0.0
            self._catalog.pending.retry_failed(time.time_ns())
        self._health.succeeded()
