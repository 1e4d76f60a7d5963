"""What a local store does to its tree, each change in one blocking call: it has happened or it has not."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from cloudfs.errors import AccessDenied, DirectoryNotEmpty, NotFound, VersionMismatch
from cloudfs.stores.base import Entry, Location
from cloudfs.stores.local.attributes import LocalAttributes
from cloudfs.stores.local.content import Draft, digest_steps, hide, run_steps
from cloudfs.stores.local.listing import LocalListing
from cloudfs.stores.local.parts import Maker
from cloudfs.stores.local.system import rename_to_free_name
from cloudfs.stores.local.tree import LocalTree, Place, proc_path
from cloudfs.types import Attributes, Version

_GONE = (FileNotFoundError, NotADirectoryError)


class LocalChanges:
    """Changes and single looks. Raises store errors, and `OSError` for what only the file system knows.

    With ``durable`` a change has survived a power cut when the call returns, because then the mount forgets that it
    ever had to be made. A deletion need not: undone by a power cut, it shows a file again and loses none.
    """

    def __init__(
        self, tree: LocalTree, attributes: LocalAttributes, maker: Maker, listing: LocalListing, *, durable: bool
    ) -> None:
        self._tree = tree
        self._attributes = attributes
        self._maker = maker
        self._listing = listing
        self._durable = durable

    def stat(self, location: Location) -> Entry:
        with self._tree.place(location) as place:
            return self._attributes.entry(place, location.name, _status(place, location))

    @contextlib.contextmanager
    def opened(self, location: Location, version: Version) -> Iterator[int]:
        """An object, for reading if it is a regular file; what was read is of that version, unless the end raises."""
        with self._tree.place(location) as place:
            status = _status(place, location)
            _check_version(place, status, version, location)
            # Not blocking, should it have become a FIFO by now.
            flags = os.O_RDONLY | os.O_NONBLOCK if stat.S_ISREG(status.st_mode) else os.O_PATH
            with place.open(flags) as fd:
                _check_version(Place(fd, b""), os.fstat(fd), version, location)
                yield fd
                _check_version(Place(fd, b""), os.fstat(fd), version, location)

    def publish(self, draft: Draft, location: Location, attributes: Attributes, replaces: Version | None) -> Entry:
        """Give a sealed draft its name. What is there already and just the same, by a lost answer, is success."""
        with self._tree.place(location) as place, self._tree.open(b"") as root:
            _refuse_root(place)
            hidden_in = draft.directories if replaces is None else (root, *draft.directories)
            try:
                with self._tree.changing(place.directory, *hidden_in):
                    if _is_free(place, location, replaces):
                        draft.take(place)
                    else:
                        draft.replace(place, root)
                    entry = self._attributes.entry(place, location.name, os.fstat(draft.fd))
            except (VersionMismatch, FileExistsError):
                if not _same(place, draft):
                    raise
                entry = self._set(place, location, attributes)
            self._sync(place.directory)
            return entry

    def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        with self._tree.place(location) as place:
            if not place.is_root:
                with self._tree.changing(place.directory), contextlib.suppress(FileExistsError):
                    os.mkdir(place.name, 0o700, dir_fd=place.directory)
            if not stat.S_ISDIR(_status(place, location).st_mode):
                raise VersionMismatch(f"{location}: there is something else than a directory")
            entry = self._set(place, location, attributes)
            self._sync(place.directory)
            return entry

    def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        with self._tree.place(location) as place:
            present = place.version(_status(place, location))
            if present not in (version, _touched(version, attributes)):
                raise VersionMismatch(f"{location}: the content is another by now")
            return self._set(place, location, attributes)

    def move(self, source: Location, target: Location, replaces: Version | None) -> Entry:
        with self._tree.place(target) as new:
            _refuse_root(new)
            with contextlib.ExitStack() as stack:
                try:
                    old = stack.enter_context(self._tree.place(source))
                except _GONE:
                    return self._moved_before(new, source, target, replaces)
                _refuse_root(old)
                with self._tree.changing(old.directory, new.directory):
                    if old.status() is None:
                        return self._moved_before(new, source, target, replaces)
                    if source.path != target.path:
                        _rename(old, new, target, replaces)
                self._sync(new.directory)
                if source.parent_path != target.parent_path:
                    self._sync(old.directory)
            return self._attributes.entry(new, target.name, _status(new, target))

    def link(self, source: Location, target: Location, replaces: Version | None) -> Entry:
        with self._tree.place(source) as old, self._tree.place(target) as new:
            _refuse_root(new)
            status = _status(old, source)
            with self._tree.open(b"") as root, self._tree.changing(root, new.directory):
                present = new.status()
                if present is None or not os.path.samestat(present, status):
                    self._link(old, new, target, replaces, root)
            self._sync(new.directory)
            return self._attributes.entry(new, target.name, _status(new, target))

    def delete(self, location: Location, version: Version | None) -> None:
        try:
            with self._tree.place(location) as place:
                _refuse_root(place)
                status = place.status()
                if status is None:
                    return
                if stat.S_ISDIR(status.st_mode) != (version is None):
                    raise VersionMismatch(f"{location}: something of another kind is there")
                if version is None:
                    self._delete_directory(place, location)
                else:
                    self._delete_file(place, location, version)
        except _GONE:
            return

    # --- parts of these ----------------------------------------------------------------------------------------------

    def _set(self, place: Place, location: Location, attributes: Attributes) -> Entry:
        with place.open() as fd, self._tree.locked(fd):
            self._attributes.write(fd, attributes)
            self._sync(fd)
        return self._attributes.entry(place, location.name, _status(place, location))

    def _moved_before(self, new: Place, source: Location, target: Location, replaces: Version | None) -> Entry:
        """The source is gone: was it us, and only the answer got lost? Then the target is not what it was before."""
        status = new.status()
        if status is None or (replaces is not None and new.version(status) == replaces):
            raise NotFound(f"{source}: not found")
        return self._attributes.entry(new, target.name, status)

    def _link(self, old: Place, new: Place, target: Location, replaces: Version | None, root: int) -> None:
        if _is_free(new, target, replaces):
            _hard_link(old, new)
            return
        part = self._maker.new_part()
        hidden_in = hide(lambda directory: _hard_link(old, Place(directory, part)), root, new)
        try:
            os.rename(part, new.name, src_dir_fd=hidden_in, dst_dir_fd=new.directory)
        except OSError:
            os.unlink(part, dir_fd=hidden_in)
            raise

    def _delete_file(self, place: Place, location: Location, version: Version) -> None:
        with self._tree.changing(place.directory):
            _check_version(place, _status(place, location), version, location)
            os.unlink(place.name, dir_fd=place.directory)

    def _delete_directory(self, place: Place, location: Location) -> None:
        with self._tree.changing(place.directory):
            try:
                os.rmdir(place.name, dir_fd=place.directory)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                with place.open() as fd:
                    if not self._listing.clear_parts(fd):
                        raise DirectoryNotEmpty(f"{location}: the directory has entries") from error
                os.rmdir(place.name, dir_fd=place.directory)

    def _sync(self, fd: int) -> None:
        """The names in a directory, or the attributes of a file, are on the disk. What is neither cannot be synced."""
        if self._durable and stat.S_IFMT(os.fstat(fd).st_mode) in (stat.S_IFREG, stat.S_IFDIR):
            # ``fd`` is a path only (O_PATH).
            reopened = os.open(proc_path(fd), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(reopened)
            finally:
                os.close(reopened)


def _status(place: Place, location: Location) -> os.stat_result:
    status = place.status()
    if status is None:
        raise NotFound(f"{location}: not found")
    return status


def _refuse_root(place: Place) -> None:
    if place.is_root:
        raise AccessDenied("the root of a store stays what and where it is")


def _check_version(place: Place, status: os.stat_result, version: Version, location: Location) -> None:
    if stat.S_ISDIR(status.st_mode) or place.version(status) != version:
        raise VersionMismatch(f"{location}: the content is another by now")


def _is_free(place: Place, location: Location, replaces: Version | None) -> bool:
    """Whether nothing is there, as expected; False if it is the file to be replaced."""
    status = place.status()
    if status is None and replaces is None:
        return True
    if status is None or stat.S_ISDIR(status.st_mode) or place.version(status) != replaces:
        raise VersionMismatch(f"{location}: something else is there than was known")
    return False


def _touched(version: Version, attributes: Attributes) -> Version:
    """What a version becomes when the mtime is set."""
    return Version(f"{version.rpartition(':')[0]}:{attributes.mtime_ns}")


def _same(place: Place, draft: Draft) -> bool:
    """Whether an object is just what a draft would have been: kind, time and content."""
    theirs, ours = place.status(), os.fstat(draft.fd)
    if theirs is None or _traits(theirs) != _traits(ours):
        return False
    if stat.S_ISLNK(ours.st_mode):
        return os.readlink(place.name, dir_fd=place.directory) == os.readlink(b"", dir_fd=draft.fd)
    if not stat.S_ISREG(ours.st_mode) or ours.st_size == 0:
        return True
    with place.open(os.O_RDONLY | os.O_NONBLOCK) as fd:
        return os.path.samestat(os.fstat(fd), theirs) and run_steps(digest_steps(fd)) == draft.digest()


def _traits(status: os.stat_result) -> tuple[int, ...]:
    return stat.S_IFMT(status.st_mode), status.st_rdev, status.st_size, status.st_mtime_ns


def _rename(old: Place, new: Place, target: Location, replaces: Version | None) -> None:
    present, moved = new.status(), old.status()
    if _is_free(new, target, replaces):
        rename_to_free_name(old.directory, old.name, new.directory, new.name)
    elif moved is None or present is None or stat.S_ISDIR(moved.st_mode):
        raise VersionMismatch(f"{target}: a directory replaces nothing")
    elif os.path.samestat(moved, present):
        # For rename(2), two names of one object are no reason to do anything.
        os.unlink(old.name, dir_fd=old.directory)
    else:
        os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)


def _hard_link(old: Place, new: Place) -> None:
    os.link(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory, follow_symlinks=False)
