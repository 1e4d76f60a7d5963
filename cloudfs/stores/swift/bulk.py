"""Many small files in one request, and many deletions (Swift's middlewares ``bulk_upload`` and ``bulk_delete``).

The request itself always succeeds; what became of it is in its body, whose beginning may be white space, and has a
status of its own and a list of names with theirs.
"""

from __future__ import annotations

import json
import logging
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from cloudfs.errors import BrokenAnswer, StoreError
from cloudfs.http.message import Answer
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.account import SwiftAccount, refused
from cloudfs.stores.swift.container import SwiftContainer
from cloudfs.stores.swift.names import quoted

_log = logging.getLogger(__name__)
_META = "X-Object-Meta-"


class Archive:
    """Small objects that are not there yet, as a tar for Swift to unpack."""

    def __init__(self) -> None:
        self.md5s: dict[str, str] = {}
        """What is in it: the checksum of each, by its name."""
        self.headers: dict[str, Mapping[str, str]] = {}
        """With which it is stored, by the same names."""
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, name: str, content: bytes, md5: str, headers: Mapping[str, str]) -> None:
        """``headers`` are a Content-Type and metadata."""
        member = tarfile.TarInfo(name)
        member.size = len(content)
        member.pax_headers = _pax_headers(headers)
        self.md5s[name] = md5
        self.headers[name] = headers
        self._append(member.tobuf(tarfile.PAX_FORMAT, "utf-8"))
        self._append(content)
        self._append(bytes(-len(content) % tarfile.BLOCKSIZE))

    def finish(self) -> bytes:
        """The tar. Nothing can be added afterwards; its bytes are not kept."""
        self._append(bytes(2 * tarfile.BLOCKSIZE))
        self._append(bytes(-self._size % tarfile.RECORDSIZE))
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def _append(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)


async def store_many(container: SwiftContainer, archive: Archive) -> dict[str, str]:
    """Store objects in one request; those that could not be stored, with the status that Swift gave.

    Nothing is compared or verified: names that exist are overwritten.
    """
    headers = {"Content-Type": "application/x-tar", "Accept": "application/json"}
    answer = await container.account.send(
        "PUT", container.name, query={"extract-archive": "tar"}, headers=headers, body=archive.finish()
    )
    outcome = _outcome("extract-archive", answer)
    errors = {unquote(str(name)).partition("/")[2]: str(status) for name, status in outcome.get("Errors", ())}
    if outcome.get("Number Files Created", 0) + len(errors) < len(archive.md5s):
        raise BrokenAnswer(f"extract-archive: {outcome.get('Response Status')} {outcome.get('Response Body')}")
    return errors


async def delete_many(account: SwiftAccount, container: SwiftContainer, names: Sequence[str], most: int) -> None:
    """Delete objects, ``most`` in a request; in single requests if that is 0. Gone already is success.

    `BrokenAnswer` if Swift did not even try all of them.
    """
    if not most or len(names) == 1:
        await in_parallel(container.delete, names)
        return
    for start in range(0, len(names), most):
        lines = [quoted(f"/{container.name}/{name}") for name in names[start : start + most]]
        headers = {"Content-Type": "text/plain", "Accept": "application/json"}
        # "PUT" would be the archive's; a POST is not repeated by itself, and a DELETE means the same.
        answer = await account.send(
            "DELETE", "", query={"bulk-delete": "true"}, headers=headers, body="\n".join(lines).encode()
        )
        outcome = _outcome("bulk-delete", answer)
        errors = outcome.get("Errors", ())
        if outcome.get("Number Deleted", 0) + outcome.get("Number Not Found", 0) + len(errors) < len(lines):
            raise BrokenAnswer(f"bulk-delete: {outcome.get('Response Status')} {outcome.get('Response Body')}")
        for name, status in errors:
            _log.debug("bulk-delete of %s: %s", name, status)
            await container.delete(unquote(str(name)).lstrip("/").partition("/")[2])


def _pax_headers(headers: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, value in headers.items():
        if name == "Content-Type":
            found["SCHILY.xattr.user.mime_type"] = value
        elif name.startswith(_META):
            found[f"SCHILY.xattr.user.meta.{name.removeprefix(_META).lower()}"] = value
    return found


def _outcome(what: str, answer: Answer) -> dict[str, Any]:
    if not answer.succeeded:
        raise refused(what, answer)
    try:
        outcome = json.loads(answer.body)
    except ValueError:
        outcome = None
    if not isinstance(outcome, dict):
        raise BrokenAnswer(f"{what}: the answer makes no sense")
    status = str(outcome.get("Response Status", ""))
    if status.startswith(("401", "403", "5")):
        raise _failure(what, status, str(outcome.get("Response Body", "")))
    return outcome


def _failure(what: str, status: str, words: str) -> StoreError:
    return BrokenAnswer(f"{what}: {status} {words}")
