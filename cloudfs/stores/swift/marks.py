"""What this process knows of the markers of directories, and what it cannot know because it changed them. Pure.

Whatever is asked about an object is answered later, and meanwhile this process may change it. So every question
carries the `Marks.tick` at which it was asked, and an answer from before a change does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cloudfs.stores.swift.attributes import is_directory_type
from cloudfs.stores.swift.container import Head, Row
from cloudfs.stores.swift.rows import may_be_directory
from cloudfs.stores.swift.summary import Noted, noted_from

_MOST = 100_000
"""Directories of a summary, which are about 40 MiB in memory. The others are asked for one by one."""
_MANY = 16
"""Directories that are worth saving by themselves: fewer are asked for at once, and take no longer."""
_SOME = 4
"""Those that are worth it to be the first, when it cannot be done later."""
_SHARE = 100
"""Of so many directories, one may be missing in the summary."""


class Marks:
    """By object names. ``summary`` is what the store keeps, None if that is not in memory."""

    def __init__(self) -> None:
        self.tick = 0
        self.summary: Mapping[str, Noted] | None = None
        self._size = 0
        self._learned: dict[str, Noted] = {}
        self._changed: dict[str, int] = {}
        self._gone: dict[str, int] = {}

    # --- reading ---------------------------------------------------------------------------------------------------

    def find(self, row: Row) -> Noted | None:
        """What the marker says that is listed like this; None if it has to be asked."""
        name = str(row["name"])
        if name in self._changed or name in self._gone or not may_be_directory(row):
            return None
        known = [noted for told in (self._learned, self.summary or {}) if (noted := told.get(name)) is not None]
        latest = max(known, key=lambda noted: noted.stamp, default=None)
        # An older one is not good enough for a row that is as old: the listing lags behind.
        return latest if latest is not None and latest.stamp == row.get("last_modified") else None

    def heard(self, name: str, head: Head | None, asked: int) -> None:
        """What a ``HEAD`` that was sent at `tick` ``asked`` says; None: there is nothing of this name."""
        if max(self._changed.get(name, 0), self._gone.get(name, 0)) > asked:
            return
        is_marker = head is not None and is_directory_type(head.headers.get("content-type", ""))
        noted = noted_from(head) if head is not None and is_marker else None
        if noted is None or len(self._learned) >= _MOST:
            if any(name in known for known in (self._changed, self._learned, self.summary or ())):
                self._forget(name)
            return
        self._changed.pop(name, None)
        self._gone.pop(name, None)
        known = self._learned.get(name)
        if known is None or known.stamp < noted.stamp:
            self._learned[name] = noted

    # --- changing --------------------------------------------------------------------------------------------------

    def changed(self, name: str) -> None:
        """This process has given it other attributes, or may have."""
        self.tick += 1
        self._learned.pop(name, None)
        self._gone.pop(name, None)
        self._changed.pop(name, None)  # so that it is the last one
        self._changed[name] = self.tick
        if len(self._changed) > _MOST:
            self._forget(next(iter(self._changed)))

    def removed(self, name: str) -> None:
        self.tick += 1
        self._changed.pop(name, None)
        self._forget(name)

    def _forget(self, name: str) -> None:
        """Nothing is known of it, and what the summary says shall not be in the next one."""
        self._changed.pop(name, None)
        self._learned.pop(name, None)
        self._gone[name] = self.tick
        if len(self._gone) > _MOST:
            del self._gone[next(iter(self._gone))]

    def keep_only(self, prefix: str, seen: Collection[str]) -> None:
        """These are all the markers below a prefix."""
        for name in self.summary or ():
            if name.startswith(prefix) and name not in seen and name not in self._learned and name not in self._changed:
                self._forget(name)

    # --- saving ----------------------------------------------------------------------------------------------------

    def to_be_asked(self, but: int = 0) -> list[str]:
        """Markers of this process's own of which it does not know when the store says that they were made.

        Without the latest ``but`` so many, which may change again soon.
        """
        return list(self._changed)[: max(0, len(self._changed) - but)]

    def took(self, summary: Mapping[str, Noted]) -> None:
        """It is what the store keeps."""
        self.summary, self._size = summary, len(summary)

    def is_worth_saving(self, *, last: bool) -> bool:
        """Whether what is new saves others more than saving it costs. ``last``: later it cannot be saved."""
        news = len(self._learned) + len(self._changed)
        least = _MANY if not last else 1 if self._size else _SOME
        if news >= max(least, self._size // _SHARE):
            return True
        # It is more and more about what is not there.
        return len(self._gone) > self._size // 2 and self._size >= (1 if last else 2 * _MANY)

    def news(self) -> tuple[Mapping[str, Noted], Mapping[str, int]]:
        """What was learned, and what has to go, up to now."""
        return dict(self._learned), dict(self._gone)

    def saved(self, learned: Mapping[str, Noted], gone: Mapping[str, int]) -> None:
        """Such `news` are in the summary now."""
        for name, noted in learned.items():
            if self._learned.get(name) is noted:
                del self._learned[name]
        for name, tick in gone.items():
            if self._gone.get(name) == tick:
                del self._gone[name]


def merged(summary: Mapping[str, Noted], learned: Mapping[str, Noted], gone: Collection[str]) -> dict[str, Noted]:
    """The next summary. Of two who know of a directory, the one who has seen it later is right."""
    found = {name: noted for name, noted in summary.items() if name not in gone}
    for name, noted in learned.items():
        if name not in found or found[name].stamp < noted.stamp:
            found[name] = noted
    return dict(sorted(found.items())[:_MOST])
