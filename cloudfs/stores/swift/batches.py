"""Small files and deletions that wait for each other leave together, where the provider takes many in one request.

An archive overwrites what is there and tells no checksums, so it is sent between two looks at the listing: only names
that are not there go into it, and each has to be listed afterwards with the checksum of what was sent. Whatever is
unclear is stored, or looked at, by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cloudfs.errors import BrokenAnswer, StoreError, VersionMismatch
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.account import Offer
from cloudfs.stores.swift.bulk import Archive, delete_many, store_many
from cloudfs.stores.swift.container import SwiftContainer
from cloudfs.stores.swift.content import Content
from cloudfs.stores.swift.gather import Gatherer
from cloudfs.stores.unbroken import unbroken

_SMALL = 128 << 10
"""Bytes of a file that may go into an archive."""
_ARCHIVE = 1 << 20
_LEAST = 6
"""Files that are worth an archive, which costs two looks at the listing."""
_MOST = 500
"""Files in an archive; Swift stores one after the other, so more would only wait for longer."""
_ROWS = 2000
"""Of a listing between the first and the last name of an archive; where there are more, files leave one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class NewFile:
    """Something to be stored under a name that nothing has. It is read when it leaves, so that many may wait."""

    name: str
    prepare: Callable[[], Awaitable[Content]]


class Batches:
    """``at_once`` calls may be under way before anything waits to be combined."""

    def __init__(self, container: SwiftContainer, offer: Offer, at_once: int) -> None:
        self._container = container
        self._offer = offer
        self._puts = Gatherer(
            self._put_one, self._put_many, at_once=at_once, least=_LEAST, most=_MOST, heaviest=_ARCHIVE
        )
        self._deletes = Gatherer(
            self._delete_one, self._delete_many, at_once=at_once, most=max(1, offer.bulk_delete // 10), heaviest=1
        )

    async def put_new(self, new: NewFile, size: int) -> str:
        """Store a file of so many bytes; its checksum. `VersionMismatch` if something has the name."""
        if self._offer.bulk_upload and size <= _SMALL:
            return await self._puts.call(new, weight=size + 2048)
        return await self._put_one(new)

    async def delete(self, name: str) -> None:
        """Gone already is success."""
        if self._offer.bulk_delete:
            await self._deletes.call(name)
        else:
            await self._container.delete(name)

    # --- putting ---------------------------------------------------------------------------------------------------

    async def _put_one(self, new: NewFile) -> str:
        content = await new.prepare()
        await unbroken(
            lambda: self._container.put(new.name, content.body, content.headers, md5=content.md5, exclusive=True)
        )
        return content.md5

    async def _put_many(self, files: Sequence[NewFile]) -> Sequence[str | Exception]:
        return await unbroken(lambda: self._put_archive(files))

    async def _put_archive(self, files: Sequence[NewFile]) -> Sequence[str | Exception]:
        there = await self._listed([new.name for new in files])
        if there is None:
            return await in_parallel(self._put_by_itself, files)
        archive = Archive()
        for new in files:
            if new.name not in there and new.name not in archive.md5s:
                await _add(archive, new)
        errors = await store_many(self._container, archive) if archive.md5s else {}
        listed = await self._listed(archive.md5s) or {} if archive.md5s else {}
        stored = {name: md5 for name, md5 in archive.md5s.items() if name not in errors}

        async def outcome(new: NewFile) -> str | Exception:
            md5 = stored.pop(new.name, None)
            if md5 is None:
                return await self._put_by_itself(new)
            return md5 if listed.get(new.name) == md5 else await self._verify(new.name, md5, archive.headers[new.name])

        return await in_parallel(outcome, files)

    async def _put_by_itself(self, new: NewFile) -> str | Exception:
        try:
            return await self._put_one(new)
        except Exception as error:  # it is told to the one whose file it is
            return error

    async def _verify(self, name: str, md5: str, headers: Mapping[str, str]) -> str | Exception:
        """Of one that is not listed, or with another checksum. What does not have these headers is not ours."""
        try:
            head = await self._container.head(name)
            if head is not None:
                if head.etag == md5:
                    return md5
                if any(head.headers.get(key) != value for key, value in headers.items()):
                    return VersionMismatch(f"{name}: somebody else has stored something there just now")
                await self._container.delete(name)
        except StoreError as error:
            return error
        return BrokenAnswer(f"{name}: what arrived is not what was sent")

    async def _listed(self, names: Iterable[str]) -> Mapping[str, str] | None:
        """The checksums of what is listed from the first name to the last; None if that may not be all."""
        ordered = sorted(names, key=str.encode)
        most = min(_ROWS, self._offer.page)
        rows = await self._container.rows("", after=_just_before(ordered[0]), before=ordered[-1] + "\x01", limit=most)
        if len(rows) >= most or (rows and not self._offer.full_pages):
            return None
        return {str(row["name"]): str(row["hash"]) for row in rows}

    # --- deleting --------------------------------------------------------------------------------------------------

    async def _delete_one(self, name: str) -> bool:
        await self._container.delete(name)
        return True

    async def _delete_many(self, names: Sequence[str]) -> Sequence[bool | Exception]:
        await unbroken(lambda: delete_many(self._container.account, self._container, names, self._offer.bulk_delete))
        return [True] * len(names)


async def _add(archive: Archive, new: NewFile) -> None:
    """Unless it cannot be read: then it leaves by itself, and its owner hears of it."""
    try:
        content = await new.prepare()
    except Exception:
        return
    assert isinstance(content.body, bytes)
    archive.add(new.name, content.body, content.md5, content.headers)


def _just_before(name: str) -> str:
    """A name that sorts before ``name``, and after as few others as can be told easily."""
    last = ord(name[-1])
    return name[:-1] + chr(last - 1) if last > 0x21 and last < 0xD800 else name[:-1]
