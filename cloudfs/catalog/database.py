"""The SQLite file under the catalogue: how it is opened, how it commits, how it reaches the disk.

One connection serves the mount, on the trio thread. A transaction ends with a record in the `RedoLog`: a write to the
page cache, which survives ``kill -9`` and costs microseconds. SQLite commits what came together in a moment: in WAL
mode with ``synchronous=NORMAL``, which waits for no disk either. What can really block has its own thread: `sync` makes
everything committed survive a power cut, and `checkpoint` moves SQLite's log into the database through a second
connection. The ``unix-excl`` VFS lets the two share that log without system calls and keeps other processes out.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import trio

from cloudfs.catalog.redo import RedoLog, Statement
from cloudfs.catalog.schema import SCHEMA, SCHEMA_VERSION
from cloudfs.errors import DISK_ERRORS, UsageError

CHECKPOINT_BYTES = 8 << 20
"""A log longer than this is moved into the database."""
_MOMENT = 0.05
"""Seconds that a transaction of SQLite stays open for more."""
_SYNC_SECONDS = 0.5
"""What waits for the disk, and nobody waits for, waits so long for company."""

DurableStep = Callable[[str], None]
"""Called after each change that a crash would not undo; the crash tests kill the process here."""


class Database:
    """The catalogue's connection. ``with database:`` is a transaction; they nest, and only the outermost ends it.

    What has ended survives ``kill -9``. Not safe for use by several threads, except `sync` and `checkpoint`.
    """

    def __init__(self, path: Path, durable_step: DurableStep) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._durable_step = durable_step
        self._depth = 0
        self._undo: list[Callable[[], None]] = []
        self._opened = trio.Event()
        self._commits = 0
        self._commits_synced = 0
        self._syncing = trio.Lock()
        self._asking = trio.Lock()
        self._reader: sqlite3.Connection | None = None
        self._once_synced: list[Callable[[], None]] = []
        self._expected = trio.Event()
        self._done: list[Statement] = []
        self._logged = 0
        self._began = 0
        self._connection = self._connect()
        self._run = self._connection.execute
        self._configure()
        self._redo = RedoLog(Path(f"{path}-redo"))
        self._resume()

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?vfs=unix-excl"
        return sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=512, check_same_thread=False)

    def _configure(self) -> None:
        self._run("PRAGMA page_size = 2048")
        self._run("PRAGMA journal_mode = WAL")
        self._run("PRAGMA synchronous = NORMAL")
        self._run("PRAGMA wal_autocheckpoint = 0")
        self._run(f"PRAGMA journal_size_limit = {2 * CHECKPOINT_BYTES}")
        self._run("PRAGMA cache_size = -24576")
        self._run("PRAGMA temp_store = MEMORY")
        (version,) = self._run("PRAGMA user_version").fetchone()
        if version == 0:
            self._connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            os.chmod(self._path, 0o600)
        elif version != SCHEMA_VERSION:
            raise UsageError(
                f"{self._path} was written by another version of cloudfs (catalogue format {version}, this one reads "
                f"{SCHEMA_VERSION}); use that version, or choose another state_dir"
            )

    def _resume(self) -> None:
        """What a killed process had done, and not committed, is done again."""
        self._done = self._redo.resume(int(self.value("SELECT value FROM meta WHERE key = 'epoch'") or 1))
        self._logged = len(self._done)
        self._begin()

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """One statement. A change outside of a transaction is one of its own. SQL must not ask for time or chance."""
        if sql[0] != "S":
            if not self._depth:
                with self:
                    return self.execute(sql, parameters)
            self._done.append((sql, parameters))
        return self._run(sql, parameters)

    def value(self, sql: str, parameters: Iterable[Any] = ()) -> Any:
        """The first column of the first row, None without a row."""
        row = self._run(sql, tuple(parameters)).fetchone()
        return None if row is None else row[0]

    async def ask(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a question that takes longer the more there is: asked in a thread, so that nobody waits for it.

        Everything done before the call is in them; one question at a time.
        """
        async with self._asking:
            self.settle()
            return await trio.to_thread.run_sync(self._ask, sql, parameters)

    def _ask(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
        if self._reader is None:
            self._reader = self._connect()
        return self._reader.execute(sql, parameters).fetchall()

    def when_rolled_back(self, callback: Callable[[], None]) -> None:
        """``callback`` drops what was remembered of a transaction that failed."""
        self._undo.append(callback)

    def __enter__(self) -> None:
        if self._depth == 0:
            if not self._connection.in_transaction:
                self._begin()
            self._began = len(self._done)
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        if kind is None:
            self._end()
        else:
            self._roll_back()

    @contextlib.contextmanager
    def lazily(self) -> Iterator[None]:
        """A transaction that promises nothing yet: it survives ``kill -9`` with the next one, or a moment later."""
        self.__enter__()
        try:
            yield
        except BaseException:
            self._depth -= 1
            if not self._depth:
                self._roll_back()
            raise
        self._depth -= 1

    def _begin(self) -> None:
        """Of SQLite's transaction, with what it has to have if it is not the first try."""
        self._run("BEGIN")
        for sql, parameters in self._done:
            self._run(sql, parameters)
        self._opened.set()

    def _end(self) -> None:
        """What was done so far survives ``kill -9`` from here on."""
        if self._logged == len(self._done):
            return
        try:
            self._redo.append(self._done[self._logged :])
        except BaseException:
            self._roll_back()
            raise
        self._logged = len(self._done)
        self._durable_step("done")
        if self._redo.is_long:
            with contextlib.suppress(sqlite3.Error):
                self._commit()

    def _commit(self) -> None:
        """An epoch ends. If that fails, on a full disk, it goes on: nothing is lost, and the next time may do it."""
        epoch = self._redo.epoch + 1
        try:
            self._run("INSERT OR REPLACE INTO meta (key, value) VALUES ('epoch', ?)", (str(epoch),))
            self._run("COMMIT")
        except sqlite3.Error:
            if not self._connection.in_transaction:
                self._begin()
            raise
        self._redo.begin(epoch)
        self._done.clear()
        self._logged = 0
        self._commits += 1
        self._durable_step("commit")

    def _roll_back(self) -> None:
        """What did not end has not happened; what came before it has."""
        del self._done[self._began :]
        if self._connection.in_transaction:
            self._run("ROLLBACK")
        self._begin()
        for callback in self._undo:
            callback()

    def settle(self) -> None:
        """Commit what ended so far, and what was done `lazily`."""
        if self._depth == 0 and self._connection.in_transaction:
            self._commit()

    async def settle_forever(self) -> None:
        """No transaction stays open for longer than a moment."""
        while True:
            await self._opened.wait()
            await trio.sleep(_MOMENT)
            self._opened = trio.Event()
            try:
                self.settle()
            except sqlite3.Error:
                self._opened.set()

    async def synced(self) -> None:
        """Return when everything done so far survives a power cut. Who calls at the same time shares the wait."""
        wanted = self._commits + self._connection.in_transaction
        async with self._syncing:
            if self._commits_synced < wanted:
                await self._sync_now()

    async def _sync_now(self) -> None:
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
            try:
                async with self._syncing:
                    await self._sync_now()
            except DISK_ERRORS:
                self._expected.set()

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
                    with contextlib.suppress(sqlite3.Error):
                        self.settle()
                        _checkpoint(self._connection, "TRUNCATE")
        finally:
            connection.close()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._connection.close()
        self._redo.close()


def _checkpoint(connection: sqlite3.Connection, mode: str) -> None:
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
