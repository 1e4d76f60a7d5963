"""What is known of a directory's marker without asking, and what is not."""

from __future__ import annotations

from cloudfs.http.message import Headers
from cloudfs.stores.swift.container import Head, Row
from cloudfs.stores.swift.marks import Marks, merged
from cloudfs.stores.swift.summary import Noted

SECONDS = 1795291374
OLD, NEW = Noted("2026-11-21T20:02:54.100000", ";mtime=1.000000000"), Noted("2026-11-21T20:02:54.200000", ";mtime=2.0")


def row(noted: Noted = OLD, name: str = "d", kind: str = "application/directory") -> Row:
    return {"name": name, "content_type": kind, "last_modified": noted.stamp}


def head(fraction: str = "1", kind: str = "application/directory") -> Head:
    told = {"content-type": kind, "x-timestamp": f"{SECONDS}.{fraction}", "x-object-meta-mtime": "1.000000000"}
    return Head("", 0, Headers([(key.encode(), value.encode()) for key, value in told.items()]))


def test_a_listed_marker_is_known_if_it_has_not_changed() -> None:
    marks = Marks()
    assert marks.find(row()) is None
    marks.took({"d": OLD})
    assert marks.find(row()) == OLD
    assert marks.find(row(NEW)) is None
    assert marks.find(row(name="e")) is None


def test_a_listing_need_not_say_when() -> None:
    marks = Marks()
    marks.took({"d": OLD})
    assert marks.find({"name": "d", "content_type": "application/directory"}) is None


def test_what_marks_no_directory_is_not_known() -> None:
    marks = Marks()
    marks.took({"d": OLD})
    assert marks.find(row(kind="text/plain")) is None
    marks.heard("e", head(kind="text/plain"), marks.tick)
    assert marks.find(row(name="e")) is None


def test_an_answer_is_remembered() -> None:
    marks = Marks()
    marks.heard("d", head(), marks.tick)
    assert marks.find(row()) == OLD
    marks.heard("d", head("2"), marks.tick)
    assert marks.find(row()) is None
    marks.heard("d", head("1"), marks.tick)  # from a part of the provider that lags behind
    found = marks.find(row(NEW))
    assert found is not None
    assert found.stamp == NEW.stamp


def test_what_this_process_changed_is_not_known_until_it_was_asked_afterwards() -> None:
    marks = Marks()
    marks.took({"d": OLD})
    before = marks.tick
    marks.changed("d")
    assert marks.to_be_asked() == ["d"]
    marks.heard("d", head("1"), before)
    assert marks.find(row()) is None
    marks.took({"d": OLD})
    assert marks.find(row()) is None
    marks.heard("d", head("2"), marks.tick)
    assert marks.find(row()) is None
    assert marks.find(row(NEW)) is not None
    assert not marks.to_be_asked()


def test_what_is_gone_is_not_known() -> None:
    marks = Marks()
    marks.took({"d": OLD, "e": OLD})
    before = marks.tick
    marks.removed("d")
    marks.heard("e", None, marks.tick)
    marks.heard("d", head(), before)
    assert marks.find(row()) is marks.find(row(name="e")) is None
    learned, gone = marks.news()
    assert merged({"d": OLD, "e": OLD, "f": NEW}, learned, gone.keys()) == {"f": NEW}


def test_what_a_walk_did_not_see_is_gone() -> None:
    marks = Marks()
    marks.took({"a/1": OLD, "a/2": OLD, "a/3": OLD, "a/4": OLD, "b": OLD})
    marks.changed("a/2")
    marks.heard("a/3", head("2"), marks.tick)
    marks.keep_only("a/", {"a/1"})
    assert marks.news()[1].keys() == {"a/4"}


def test_a_directory_whose_stamp_is_not_told_is_not_asked_for_again_and_again() -> None:
    marks = Marks()
    marks.changed("d")
    marks.heard("d", head("0"), marks.tick)
    assert not marks.to_be_asked()
    assert marks.find(row()) is None


def test_of_two_who_know_it_the_later_one_is_right() -> None:
    assert merged({"d": OLD}, {"d": NEW}, ()) == {"d": NEW}
    assert merged({"d": NEW}, {"d": OLD}, ()) == {"d": NEW}
    assert merged({"d": OLD}, {"d": OLD}, {"d"}) == {"d": OLD}


def test_what_is_saved_is_no_news() -> None:
    marks = Marks()
    marks.heard("d", head(), marks.tick)
    marks.removed("e")
    news = marks.news()
    marks.heard("d", head("2"), marks.tick)
    marks.heard("f", head(), marks.tick)
    marks.saved(*news)
    assert marks.news()[0].keys() == {"d", "f"}
    assert not marks.news()[1]


def test_few_changes_are_not_worth_a_summary() -> None:
    marks = Marks()
    assert not marks.is_worth_saving(last=True)
    for number in range(3):
        marks.changed(f"d{number}")
    assert not marks.is_worth_saving(last=True)
    marks.changed("d")
    assert marks.is_worth_saving(last=True)
    assert not marks.is_worth_saving(last=False)
    for number in range(20):
        marks.changed(f"d{number}")
    assert marks.is_worth_saving(last=False)
    marks.took({f"e{number}": OLD for number in range(5000)})
    assert not marks.is_worth_saving(last=True)
    for number in range(50):
        marks.changed(f"d{number}")
    assert marks.is_worth_saving(last=True)


def test_one_change_is_worth_a_small_summary_that_there_is() -> None:
    marks = Marks()
    marks.took({"e": OLD})
    marks.changed("d")
    assert marks.is_worth_saving(last=True)


def test_a_summary_of_what_is_gone_is_worth_another() -> None:
    marks = Marks()
    marks.took({f"e{number}": OLD for number in range(50)})
    marks.keep_only("", {f"e{number}" for number in range(10)})
    assert marks.is_worth_saving(last=False)
    marks.saved(*marks.news())
    assert not marks.is_worth_saving(last=True)
