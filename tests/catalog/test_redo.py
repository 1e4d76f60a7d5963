"""What has ended survives `kill -9`, although SQLite commits later; what has not ended never happened."""

from __future__ import annotations

import contextlib
import itertools
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudfs.catalog.database import Database
from cloudfs.catalog.redo import RedoLog, Statement

Open = Callable[[Path], Database]
Killed = Callable[[], Database]


@pytest.fixture
def start() -> Iterator[Open]:
    """Opens the database in a directory, as the next process would."""
    with contextlib.ExitStack() as opened:

        def open_there(place: Path) -> Database:
            place.mkdir(exist_ok=True)
            database = Database(place / "catalog.db", lambda step: None)
            opened.callback(database.close)
            return database

        yield open_there


@pytest.fixture
def database(tmp_path: Path, start: Open) -> Database:
    return start(tmp_path / "alive")


@pytest.fixture
def killed(tmp_path: Path, start: Open) -> Killed:
    """What the next process finds, now: a copy of the files, in the middle of everything."""
    copies = itertools.count()

    def copy() -> Database:
        place = tmp_path / f"killed-{next(copies)}"
        shutil.copytree(tmp_path / "alive", place)
        return start(place)

    return copy


def _resume(path: Path, epoch: int) -> list[Statement]:
    with contextlib.closing(RedoLog(path)) as log:
        return log.resume(epoch)


def _put(database: Database, key: str, value: str = "") -> None:
    database.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))


def _rows(database: Database) -> dict[str, str]:
    return dict(database.execute("SELECT key, value FROM meta WHERE key != 'epoch'").fetchall())


def test_what_ended_is_there(database: Database, killed: Killed) -> None:
    with database:
        _put(database, "a", "1")
        _put(database, "b", "2")
    _put(database, "a", "3")
    assert _rows(killed()) == {"a": "3", "b": "2"}


def test_what_did_not_end_is_not(database: Database, killed: Killed) -> None:
    _put(database, "a")
    with database:
        _put(database, "b")
        assert _rows(killed()) == {"a": ""}


def test_a_lazy_change_comes_with_the_next(database: Database, killed: Killed) -> None:
    with database.lazily():
        _put(database, "a")
    assert _rows(killed()) == {}
    _put(database, "b")
    assert _rows(killed()) == {"a": "", "b": ""}


def test_nothing_is_done_twice(database: Database, killed: Killed) -> None:
    database.execute("INSERT INTO meta (key, value) VALUES ('a', 'x')")
    database.settle()
    database.execute("UPDATE meta SET value = value || 'y' WHERE key = 'a'")
    heir = killed()
    assert _rows(heir) == {"a": "xy"}
    heir.settle()
    assert _rows(heir) == {"a": "xy"}


def test_it_may_be_killed_again_and_again(database: Database, start: Open, tmp_path: Path) -> None:
    _put(database, "0")
    for turn in range(1, 6):
        place = tmp_path / f"turn-{turn}"
        shutil.copytree(tmp_path / ("alive" if turn == 1 else f"turn-{turn - 1}"), place)
        heir = start(place)
        _put(heir, str(turn))
        assert sorted(_rows(heir)) == [str(n) for n in range(turn + 1)]


def test_a_failure_takes_back_what_did_not_end_and_nothing_else(database: Database, killed: Killed) -> None:
    with database.lazily():
        _put(database, "lazy")
    _put(database, "ended")
    with pytest.raises(ZeroDivisionError), database:
        _put(database, "failed")
        raise ZeroDivisionError
    assert _rows(database) == {"lazy": "", "ended": ""}
    _put(database, "after")
    assert _rows(killed()) == {"lazy": "", "ended": "", "after": ""}


def test_a_torn_record_never_happened(tmp_path: Path) -> None:
    with contextlib.closing(RedoLog(tmp_path / "log")) as log:
        log.begin(7)
        log.append([("one", (1, b"x", None, "y"))])
        whole = _length(tmp_path / "log")
        log.append([("two", {"a": 2})])
        torn = _length(tmp_path / "log")
    for size in range(whole, torn):
        cut = tmp_path / "cut"
        cut.write_bytes((tmp_path / "log").read_bytes()[:size])
        assert _resume(cut, 7) == [("one", (1, b"x", None, "y"))]
    assert len(_resume(tmp_path / "log", 7)) == 2


def _length(path: Path) -> int:
    return len(path.read_bytes().rstrip(b"\0"))


def test_records_of_another_epoch_are_not_read(tmp_path: Path) -> None:
    with contextlib.closing(RedoLog(tmp_path / "log")) as log:
        log.begin(1)
        for number in range(20):
            log.append([("old", (number,))])
        log.begin(2)
        log.append([("new", ())])
    assert _resume(tmp_path / "log", 2) == [("new", ())]
    assert _resume(tmp_path / "log", 3) == []


def test_a_log_that_grows_long_is_committed(database: Database, tmp_path: Path) -> None:
    for number in range(500):
        _put(database, f"{number}", "x" * 4096)
    assert (tmp_path / "alive" / "catalog.db-redo").stat().st_size < 1 << 20
    assert len(_rows(database)) == 500


@pytest.mark.parametrize("seed", range(20))
def test_random_histories(database: Database, killed: Killed, seed: int) -> None:
    """Against a dict that has what ended; the killed are compared in the middle of things."""
    dice = random.Random(seed)
    ended: dict[str, str] = {}
    soon: dict[str, str] = {}
    for number in range(120):
        change = {str(dice.randrange(9)): f"{number}" for _ in range(dice.randrange(1, 4))}
        match dice.choice(["ends", "ends", "lazily", "fails", "settles", "killed"]):
            case "ends":
                with database:
                    for key, value in change.items():
                        _put(database, key, value)
                ended = soon = {**soon, **change}
            case "lazily":
                with database.lazily():
                    for key, value in change.items():
                        _put(database, key, value)
                soon = {**soon, **change}
            case "fails":
                with pytest.raises(sqlite3.IntegrityError), database:
                    for key, value in change.items():
                        _put(database, key, value)
                    database.execute("INSERT INTO meta (key, value) VALUES ('1', '1'), ('1', '1')")
            case "settles":
                database.settle()
                ended = soon
            case "killed":
                assert _rows(killed()) == ended
        assert _rows(database) == soon
