"""Whole files of a local store: reading, storing and copying them. Everything here blocks and is called in threads."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from cloudfs.errors import StoreError
from cloudfs.stores.base import Entry, Location
from cloudfs.stores.local.attributes import LocalAttributes
from cloudfs.stores.local.changes import LocalChanges
from cloudfs.stores.local.content import (
    CANNOT_GO_THERE,
    Draft,
    Steps,
    copy_steps,
    digest_steps,
    read_exactly,
    run_steps,
    unless,
)
from cloudfs.stores.local.parts import Maker
from cloudfs.stores.local.system import can_move
from cloudfs.stores.local.tree import LocalTree
from cloudfs.stores.sparse import Piece
from cloudfs.types import Attributes, Version


class LocalFiles:
    """A file is a `Draft` until it is complete, and then published. With ``durable`` it then survives a power cut."""

    def __init__(
        self,
        tree: LocalTree,
        attributes: LocalAttributes,
        maker: Maker,
        changes: LocalChanges,
        *,
        durable: bool,
        unnamed_drafts: bool,
    ) -> None:
        self._tree = tree
        self._attributes = attributes
        self._maker = maker
        self._changes = changes
        self._durable = durable
        self._unnamed_drafts = unnamed_drafts

    def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        with self._changes.opened(location, version) as fd:
            return read_exactly(fd, start, stop)

    def checksum(self, location: Location, version: Version) -> Steps[str]:
        with self._changes.opened(location, version) as fd:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return ""
            return (yield from digest_steps(fd))

    def draft(self, location: Location, size: int) -> Draft:
        """An empty regular file for that location; `drop` it when all is done, or nothing more can be."""
        with self._tree.open(location.parent_path) as directory:
            part = self._maker.new_part()
            draft = Draft.unnamed(directory, part) if self._unnamed_drafts else None
            if draft is None:
                draft = self._named_draft(directory, part)
        try:
            draft.resize(size)
        except BaseException:
            self.drop(draft)
            raise
        return draft

    def drop(self, draft: Draft) -> None:
        """Close a draft. Nothing of it is left if it was not published."""
        try:
            if draft.directories:
                with self._tree.changing(*draft.directories):
                    draft.withdraw()
        finally:
            draft.close()

    def finish(self, draft: Draft, location: Location, attributes: Attributes, replaces: Version | None) -> Entry:
        """A draft with all its bytes becomes what it is meant to be, and visible."""
        draft.seal(self._attributes, attributes, durable=self._durable)
        return self._changes.publish(draft, location, attributes, replaces)

    def put(
        self, location: Location, size: int, pieces: Iterable[Piece], attributes: Attributes, replaces: Version | None
    ) -> Entry:
        """A regular file whose bytes are all in memory."""
        draft = self.draft(location, size)
        try:
            draft.write(pieces)
            run_steps(draft.verify())
            return self.finish(draft, location, attributes, replaces)
        finally:
            self.drop(draft)

    def put_special(self, location: Location, attributes: Attributes, replaces: Version | None) -> Entry:
        """A symbolic link, FIFO, socket or device."""
        with self._tree.open(location.parent_path) as directory, self._tree.open(b"") as root:
            # Where it is made as in `hide`.
            with unless(CANNOT_GO_THERE):
                return self._put_special(root, location, attributes, replaces)
            return self._put_special(directory, location, attributes, replaces)

    def copy(
        self, source: Location, version: Version, target: Location, attributes: Attributes, replaces: Version | None
    ) -> Steps[Entry]:
        """A regular file with the bytes of another one."""
        draft = self.draft(target, 0)
        try:
            with self._changes.opened(source, version) as fd:
                yield from copy_steps(fd, draft.fd)
            return self.finish(draft, target, attributes, replaces)
        finally:
            self.drop(draft)

    def copy_special(
        self, source: Location, version: Version, target: Location, attributes: Attributes, replaces: Version | None
    ) -> Entry:
        """``attributes`` are all there is to copy, as long as the source is still what it was."""
        with self._changes.opened(source, version):
            return self.put_special(target, attributes, replaces)

    # --- parts of these ----------------------------------------------------------------------------------------------

    def _named_draft(self, directory: int, part: bytes) -> Draft:
        with self._tree.open(b"") as root:
            hidden_in = root if can_move(root, directory) else directory
            with self._tree.changing(hidden_in):
                return Draft.named(hidden_in, part)

    def _put_special(
        self, hidden_in: int, location: Location, attributes: Attributes, replaces: Version | None
    ) -> Entry:
        with self._tree.changing(hidden_in):
            part, placeholders = self._maker.new_part(), self._attributes.takes_notes
            draft = Draft.special(hidden_in, part, attributes, placeholders=placeholders)
        try:
            return self.finish(draft, location, attributes, replaces)
        finally:
            self.drop(draft)


def largest_file(tree: LocalTree) -> int | None:
    """How many bytes a file may have there, found by trying; None if nothing can be tried."""
    try:
        with tree.open(b"") as root:
            fd = os.open(b".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=root)
    except (OSError, StoreError):
        return None
    try:
        fits, too_large = 0, 1 << 63
        while too_large - fits > 1:
            size = (fits + too_large) // 2
            if _can_grow(fd, size):
                fits = size
            else:
                too_large = size
        return fits
    finally:
        os.close(fd)


def _can_grow(fd: int, size: int) -> bool:
    try:
        os.ftruncate(fd, size)
    except OSError as error:
        if error.errno in (errno.EFBIG, errno.EINVAL, errno.EOVERFLOW):
            return False
        raise
    return True
