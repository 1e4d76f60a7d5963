"""A token in a file that only its owner can read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import trio

from cloudfs.auth.tokens import Token, from_json, to_json
from cloudfs.errors import SignInRequired

_POLL_SECONDS = 0.05


class TokenFile:
    """A `TokenHome`. The file has mode 0600 and is replaced whole; beside it is ``FILE.lock``, which stays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = path.with_name(path.name + ".lock")

    async def load(self) -> Token | None:
        return await trio.to_thread.run_sync(self._load)

    async def save(self, token: Token) -> None:
        await trio.to_thread.run_sync(self._save, to_json(token))

    async def erase(self) -> None:
        self.path.unlink(missing_ok=True)

    def stamp(self) -> object:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        with private_lock(self._lock) as fd:
            # Asking again and again can be cancelled, and a thread that waits in flock(2) cannot.
            while not _try_lock(fd):  # noqa: ASYNC110
                await trio.sleep(_POLL_SECONDS)
            yield

    def _load(self) -> Token | None:
        try:
            with open(self.path, encoding="utf-8") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise SignInRequired(f"others may read {self.path}; sign in again, and protect it: chmod 600")
                return from_json(file.read())
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SignInRequired(f"cannot read the sign-in in {self.path}: {error}") from None

    def _save(self, text: str) -> None:
        directory = private_directory(self.path)
        fd, draft = tempfile.mkstemp(prefix=".token-", dir=directory)  # with mode 0600, whatever the umask
        try:
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self.path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        _sync(directory)


def private_directory(file: Path) -> Path:
    """The directory of ``file``, made for its owner alone if it is missing."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return file.parent


@contextlib.contextmanager
def private_lock(path: Path) -> Iterator[int]:
    """A descriptor of the lock file, not locked yet; closing it gives the lock back."""
    private_directory(path)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
