"""The SQLite file under the catalogue: how it is opened, how it commits, how it reaches the disk.

One connection serves the mount, on the trio thread: in WAL mode with ``synchronous=NORMAL`` a commit is a write to
the page cache, which survives ``kill -9`` and costs microseconds. What can really block has its own thread: `sync`
makes everything committed survive a power cut, and `checkpoint` moves the log into the database through a second
connection. The ``unix-excl`` VFS lets the two share the log without system calls and keeps other processes out.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import trio

from cloudfs.catalog.schema import SCHEMA, SCHEMA_VERSION
from cloudfs.errors import UsageError

CHECKPOINT_BYTES = 8 << 20
"""A log longer than this is moved into the database."""
_LAZY_SECONDS = 0.02
_SYNC_SECONDS = 0.5
"""What waits for the disk, and nobody waits for, waits so long for company."""

DurableStep = Callable[[str], None]
"""Called after each change that a crash would not undo; the crash tests kill the process here."""


class Database:
    """The catalogue's connection. ``with database:`` is a transaction; they nest, and only the outermost commits.

    Not safe for use by several threads, except `sync` and `checkpoint`.
    """

    def __init__(self, path: Path, durable_step: DurableStep) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._durable_step = durable_step
        self._depth = 0
        self._undo: list[Callable[[], None]] = []
        self._open = False
        self._opened = trio.Event()
        self._commits = 0
        self._commits_synced = 0
        self._syncing = trio.Lock()
        self._once_synced: list[Callable[[], None]] = []
        self._expected = trio.Event()
        self._connection = self._connect()
        self.execute = self._connection.execute
        self.executemany = self._connection.executemany
        self._configure()

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?vfs=unix-excl"
        return sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=512, check_same_thread=False)

    def _configure(self) -> None:
        self.execute("PRAGMA page_size = 2048")
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = NORMAL")
        self.execute("PRAGMA wal_autocheckpoint = 0")
        self.execute(f"PRAGMA journal_size_limit = {2 * CHECKPOINT_BYTES}")
        self.execute("PRAGMA cache_size = -24576")
        self.execute("PRAGMA temp_store = MEMORY")
        (version,) = self.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            os.chmod(self._path, 0o600)
        elif version != SCHEMA_VERSION:
            raise UsageError(
                f"{self._path} was written by another version of cloudfs (catalogue format {version}, this one reads "
                f"{SCHEMA_VERSION}); use that version, or choose another state_dir"
            )

    def value(self, sql: str, parameters: Iterable[Any] = ()) -> Any:
        """The first column of the first row, None without a row."""
        row = self.execute(sql, tuple(parameters)).fetchone()
        return None if row is None else row[0]

    def when_rolled_back(self, callback: Callable[[], None]) -> None:
        """``callback`` drops what was remembered of a transaction that failed."""
        self._undo.append(callback)

    def __enter__(self) -> None:
        if self._depth == 0 and not self._open:
            self.execute("BEGIN")
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        if kind is None:
            self._commit()
        else:
            self._roll_back()

    @contextlib.contextmanager
    def lazily(self) -> Iterator[None]:
        """A transaction for what promises nothing yet: committed with the next one, or a moment later."""
        self.__enter__()
        try:
            yield
        except BaseException:
            self._depth -= 1
            if not self._depth:
                self._roll_back()
            raise
        self._depth -= 1
        if not self._depth and not self._open:
            self._open = True
            self._opened.set()

    def _commit(self) -> None:
        self._open = False
        self.execute("COMMIT")
        self._commits += 1
        self._durable_step("commit")

    def _roll_back(self) -> None:
        self._open = False
        self.execute("ROLLBACK")
        for callback in self._undo:
            callback()

    def settle(self) -> None:
        """Commit what was done in `lazily` transactions so far."""
        if self._open and self._depth == 0:
            self._commit()

    async def settle_forever(self) -> None:
        """No lazy transaction stays open for longer than a moment."""
        while True:
            await self._opened.wait()
            await trio.sleep(_LAZY_SECONDS)
            self._opened = trio.Event()
            self.settle()

    async def synced(self) -> None:
        """Return when everything done so far survives a power cut. Who calls at the same time shares the wait."""
        self.settle()
        wanted = self._commits
        async with self._syncing:
            if self._commits_synced >= wanted and not self._once_synced:
                return
            self.settle()
            reached, self._once_synced, callbacks = self._commits, [], self._once_synced
            try:
                await trio.to_thread.run_sync(self.sync)
            except BaseException:
                self._once_synced = callbacks + self._once_synced
                raise
            self._commits_synced = reached
            for callback in callbacks:
                callback()

    def finish(self) -> None:
        """`synced`, at once: blocks, and nothing else may be going on."""
        self.settle()
        self.sync()
        callbacks, self._once_synced = self._once_synced, []
        for callback in callbacks:
            callback()

    def once_synced(self, callback: Callable[[], None]) -> None:
        """``callback`` destroys what the catalogue will not ask for any more, once that is so on the disk as well."""
        self._once_synced.append(callback)
        self._expected.set()

    async def sync_forever(self) -> None:
        """Nothing waits for long to be destroyed. A failure here (a broken disk) is met again by who calls fsync."""
        while True:
            await self._expected.wait()
            await trio.sleep(_SYNC_SECONDS)
            self._expected = trio.Event()
            with contextlib.suppress(OSError):
                await self.synced()

    def sync(self) -> None:
        """Everything committed before the call survives a power cut after it. Blocks: call it in a thread."""
        try:
            log = os.open(self._wal, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            os.fdatasync(log)
        finally:
            os.close(log)

    def log_size(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    async def checkpoint_forever(self, interval: float = 2.0) -> None:
        """Keep the log short. A failure here (a full disk) costs nothing but a longer log, and is tried again.

        The thread never takes the writer's lock, so the log starts over only when the mount pauses. If it never does,
        what little is left is moved here.
        """
        connection = self._connect()
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            while True:
                await trio.sleep(interval)
                if self.log_size() > CHECKPOINT_BYTES:
                    await trio.to_thread.run_sync(_checkpoint, connection, "PASSIVE")
                if self.log_size() > 8 * CHECKPOINT_BYTES:
                    self.settle()
                    _checkpoint(self._connection, "TRUNCATE")
        finally:
            connection.close()

    def close(self) -> None:
        self._connection.close()


def _checkpoint(connection: sqlite3.Connection, mode: str) -> None:
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
