"""Small files and deletions that wait for each other leave together, where the provider takes many in one request.

An archive overwrites what is there and tells no checksums, so it is sent between two looks at the listing: only names
that are not there go into it, and each has to be listed afterwards with the checksum of what was sent. Whatever is
unclear is stored, or looked at, by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudfs.errors import BrokenAnswer, StoreError
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.account import Offer
from cloudfs.stores.swift.bulk import NewObject, delete_many, store_many
from cloudfs.stores.swift.container import SwiftContainer
from cloudfs.stores.swift.content import Content
from cloudfs.stores.swift.gather import Gatherer
from cloudfs.stores.unbroken import unbroken

_SMALL = 128 << 10
"""Bytes of a file that may go into an archive."""
_ARCHIVE = 8 << 20
_MOST = 500
"""Files in an archive; Swift stores one after the other, so more would only wait for longer."""
_ROWS = 2000
"""Of a listing between the first and the last name of an archive; where there are more, files leave one by one."""


class Batches:
    """``at_once`` calls may be under way before anything waits to be combined."""

    def __init__(self, container: SwiftContainer, offer: Offer, at_once: int) -> None:
        self._container = container
        self._offer = offer
        self._puts = Gatherer(self._put_one, self._put_many, at_once=at_once, most=_MOST, heaviest=_ARCHIVE)
        self._deletes = Gatherer(
            self._delete_one, self._delete_many, at_once=at_once, most=max(1, offer.bulk_delete // 10), heaviest=1
        )

    async def put_new(self, name: str, content: Content) -> None:
        """Store something under a name that nothing has; `VersionMismatch` if something does."""
        if self._offer.bulk_upload and isinstance(content.body, bytes) and content.size <= _SMALL:
            new = NewObject(name, content.body, content.md5, content.headers)
            await self._puts.call(new, weight=content.size + 2048)
        else:
            await unbroken(
                lambda: self._container.put(name, content.body, content.headers, md5=content.md5, exclusive=True)
            )

    async def delete(self, name: str) -> None:
        """Gone already is success."""
        if self._offer.bulk_delete:
            await self._deletes.call(name)
        else:
            await self._container.delete(name)

    # --- putting ---------------------------------------------------------------------------------------------------

    async def _put_one(self, new: NewObject) -> str:
        return await unbroken(
            lambda: self._container.put(new.name, new.content, new.headers, md5=new.md5, exclusive=True)
        )

    async def _put_many(self, objects: Sequence[NewObject]) -> Sequence[str | Exception]:
        return await unbroken(lambda: self._put_archive(objects))

    async def _put_archive(self, objects: Sequence[NewObject]) -> Sequence[str | Exception]:
        there = await self._listed(objects)
        if there is None:
            return await in_parallel(self._put_by_itself, objects)
        fresh = list({each.name: each for each in reversed(objects) if each.name not in there}.values())
        errors = await store_many(self._container, fresh) if fresh else {}
        listed = await self._listed(fresh) or {} if fresh else {}

        async def outcome(new: NewObject) -> str | Exception:
            if new.name in there or new.name in errors or new not in fresh:
                return await self._put_by_itself(new)
            if listed.get(new.name) == new.md5:
                return new.md5
            return await self._verify(new)

        return await in_parallel(outcome, objects)

    async def _put_by_itself(self, new: NewObject) -> str | Exception:
        try:
            return await self._put_one(new)
        except StoreError as error:
            return error

    async def _verify(self, new: NewObject) -> str | Exception:
        """One that is not listed, or with another checksum."""
        try:
            head = await self._container.head(new.name)
            if head is not None and head.etag == new.md5:
                return new.md5
            if head is not None:
                await self._container.delete(new.name)
        except StoreError as error:
            return error
        return BrokenAnswer(f"{new.name}: what arrived is not what was sent")

    async def _listed(self, objects: Sequence[NewObject]) -> Mapping[str, str] | None:
        """The checksums of what is listed from the first name to the last; None if that is too much."""
        names = sorted((each.name for each in objects), key=str.encode)
        rows = await self._container.rows("", after=_just_before(names[0]), before=names[-1] + "\x01", limit=_ROWS)
        if len(rows) >= _ROWS:
            return None
        return {str(row["name"]): str(row["hash"]) for row in rows}

    # --- deleting --------------------------------------------------------------------------------------------------

    async def _delete_one(self, name: str) -> bool:
        await self._container.delete(name)
        return True

    async def _delete_many(self, names: Sequence[str]) -> Sequence[bool | Exception]:
        await unbroken(lambda: delete_many(self._container.account, self._container, names, self._offer.bulk_delete))
        return [True] * len(names)


def _just_before(name: str) -> str:
    """A name that sorts before ``name``, and after as few others as can be told easily."""
    last = ord(name[-1])
    return name[:-1] + chr(last - 1) if last > 0x21 and last < 0xD800 else name[:-1]
