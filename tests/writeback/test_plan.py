"""Every answer of the planner, as a table: what is wanted and what is there, and the next step.

`NAME` is the name that is asked about: inode 10, wanted as ``file`` in directory 2. Each case changes what matters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfs.catalog.links import Link
from cloudfs.stores.base import Capabilities
from cloudfs.types import Inode, LinkId, Version
from cloudfs.writeback.plan import Action, Facts, Step, aside_name, plan

NOTHING = Capabilities()
MOVES = Capabilities(directory_move=True)
COPIES = Capabilities(server_copy=True)
LINKS = Capabilities(server_copy=True, hard_links=True)

NAME = Link(
    id=LinkId(7),
    ino=Inode(10),
    parent=Inode(2),
    name=b"file",
    at_parent=None,
    at_name=None,
    identity="",
    version=Version(""),
    at_content=0,
    at_attrs=0,
    pending_ns=1,
    attempts=0,
    reason="",
    parked=False,
)


def name(**changes: Any) -> Link:
    return replace(NAME, **changes)


def stored(**changes: Any) -> Link:
    """It is where it should be, with everything it should have."""
    there = {"at_parent": NAME.parent, "at_name": NAME.name, "version": Version("v1"), "at_content": 3, "at_attrs": 4}
    return name(**{**there, **changes})


def elsewhere(**changes: Any) -> Link:
    return stored(**{"at_name": b"old name", **changes})


def directory(link: Link) -> Link:
    return replace(link, version=Version(""), at_content=link.at_content and 1)


PARENT = stored(id=LinkId(1), ino=Inode(2), parent=Inode(1), name=b"d", at_parent=Inode(1), at_name=b"d")
MISSING_PARENT = name(id=LinkId(1), ino=Inode(2), parent=Inode(1), name=b"d")
OTHER = stored(id=LinkId(8), ino=Inode(11), name=b"other")
DOOMED = stored(id=LinkId(8), ino=Inode(11), parent=None, name=None)
DOOMED_DIRECTORY = directory(DOOMED)
TWIN = stored(id=LinkId(9), name=b"twin", at_name=b"twin")


def facts(link: Link, **changes: Any) -> Facts:
    usual: dict[str, Any] = {"is_directory": False, "content": 3, "attrs": 4, "parent": PARENT}
    return Facts(link=link, **{**usual, **changes})


def of_directory(link: Link, **changes: Any) -> Facts:
    return facts(directory(link), is_directory=True, content=1, **changes)


def wait(other: Link) -> Action:
    return Action(Step.WAIT, other=other.id)


GONE = stored(parent=None, name=None)
NOWHERE = name(parent=None, name=None)
CHANGED = stored(at_content=2)
TABLE: dict[str, tuple[Facts, Capabilities, Action]] = {
    # agreed
    "all is well": (facts(stored()), NOTHING, Action(Step.DONE)),
    "a directory is well, whatever its content": (of_directory(stored()), NOTHING, Action(Step.DONE)),
    "the root is well": (facts(stored(), parent=None), NOTHING, Action(Step.DONE)),
    # nothing before the last answer is known
    "an answer is missing": (facts(CHANGED, in_doubt=True), NOTHING, Action(Step.FIND_OUT)),
    "an answer is missing, and it is removed": (facts(NOWHERE, in_doubt=True), NOTHING, Action(Step.FIND_OUT)),
    "an answer is missing, in a ring": (facts(elsewhere(), in_doubt=True, ring=True), MOVES, Action(Step.FIND_OUT)),
    "where it is to be is inside it": (of_directory(elsewhere(), below=PARENT), MOVES, wait(PARENT)),
    "where it is to be is inside it, in a ring": (
        of_directory(elsewhere(), below=PARENT, ring=True),
        MOVES,
        Action(Step.MOVE_ASIDE),
    ),
    "where it is to be is inside it, which a store without moves does not mind": (
        of_directory(elsewhere(), below=PARENT),
        NOTHING,
        Action(Step.SPLIT),
    ),
    # to be removed
    "removed before it was stored": (facts(NOWHERE), NOTHING, Action(Step.FORGET)),
    "removed": (facts(GONE), NOTHING, Action(Step.DELETE)),
    "removed, but another name still needs the bytes": (facts(GONE, heir=OTHER), NOTHING, wait(OTHER)),
    "a new name gets the object of a removed one": (
        facts(name(), twin=stored(id=LinkId(9), parent=None, name=None)),
        COPIES,
        Action(Step.INHERIT, other=LinkId(9)),
    ),
    "what is in the way is still needed by another name": (
        facts(name(), occupant=DOOMED, occupant_heir=OTHER),
        NOTHING,
        wait(DOOMED),
    ),
    "removed, but it is open, and its place is wanted": (facts(GONE, in_use=True), NOTHING, Action(Step.MOVE_ASIDE)),
    "what is in the way is open": (facts(name(), occupant=DOOMED, occupant_in_use=True), NOTHING, wait(DOOMED)),
    "removed, empty directory": (of_directory(GONE), NOTHING, Action(Step.DELETE)),
    "removed, what is inside goes first": (of_directory(GONE, inside=OTHER), NOTHING, wait(OTHER)),
    "removed, in a ring: the others give way": (of_directory(GONE, inside=OTHER, ring=True), MOVES, wait(OTHER)),
    "removed, a new directory takes it over": (of_directory(GONE, successor=OTHER), NOTHING, wait(OTHER)),
    "removed, what is inside goes before a new directory takes it over": (
        of_directory(GONE, inside=OTHER, successor=NAME),
        NOTHING,
        wait(OTHER),
    ),
    "removed, a new directory cannot take it over before it is": (
        of_directory(GONE, successor=OTHER, ring=True),
        NOTHING,
        Action(Step.DELETE),
    ),
    # new
    "new file": (facts(name()), NOTHING, Action(Step.UPLOAD)),
    "new file in a directory to come": (facts(name(), parent=MISSING_PARENT), NOTHING, wait(MISSING_PARENT)),
    "new directory": (of_directory(name()), NOTHING, Action(Step.MAKE_DIRECTORY)),
    "new directory, in one to come": (of_directory(name(), parent=MISSING_PARENT), NOTHING, wait(MISSING_PARENT)),
    "new file, in a ring: nothing to move aside": (facts(name(), occupant=OTHER, ring=True), NOTHING, wait(OTHER)),
    "second name, stored as a link": (facts(name(), twin=TWIN), LINKS, Action(Step.LINK, other=TWIN.id)),
    "second name, stored as a copy": (facts(name(), twin=TWIN), COPIES, Action(Step.COPY, other=TWIN.id)),
    "second name, sent again": (facts(name(), twin=TWIN), NOTHING, Action(Step.UPLOAD)),
    # new, where something is
    "new file over a removed one": (facts(name(), occupant=DOOMED), NOTHING, Action(Step.UPLOAD, replaces=DOOMED)),
    "second name over a removed one": (
        facts(name(), twin=TWIN, occupant=DOOMED),
        LINKS,
        Action(Step.LINK, other=TWIN.id, replaces=DOOMED),
    ),
    "copy over a removed one": (
        facts(name(), twin=TWIN, occupant=DOOMED),
        COPIES,
        Action(Step.COPY, other=TWIN.id, replaces=DOOMED),
    ),
    "new file where another is still to leave": (facts(name(), occupant=OTHER), NOTHING, wait(OTHER)),
    "new file where a directory is removed": (facts(name(), occupant=DOOMED_DIRECTORY), NOTHING, wait(DOOMED)),
    "new directory where a file is removed": (of_directory(name(), occupant=DOOMED), NOTHING, wait(DOOMED)),
    "new directory where one is removed": (
        of_directory(name(), occupant=DOOMED_DIRECTORY),
        NOTHING,
        Action(Step.TAKE_OVER, other=DOOMED.id),
    ),
    "new directory where another is still to leave": (of_directory(name(), occupant=OTHER), NOTHING, wait(OTHER)),
    # in place, changed
    "written": (facts(CHANGED), NOTHING, Action(Step.UPLOAD, replaces=CHANGED)),
    "written and chmodded: one upload": (facts(CHANGED, attrs=9), NOTHING, Action(Step.UPLOAD, replaces=CHANGED)),
    "the content of its twin, by a link": (
        facts(CHANGED, twin=TWIN),
        LINKS,
        Action(Step.LINK, other=TWIN.id, replaces=CHANGED),
    ),
    "the content of its twin, by a copy": (
        facts(CHANGED, twin=TWIN),
        COPIES,
        Action(Step.COPY, other=TWIN.id, replaces=CHANGED),
    ),
    "chmodded": (facts(stored(), attrs=9), NOTHING, Action(Step.SET_ATTRIBUTES)),
    "chmodded, directory": (of_directory(stored(), attrs=9), NOTHING, Action(Step.SET_ATTRIBUTES)),
    # elsewhere
    "renamed": (facts(elsewhere()), NOTHING, Action(Step.MOVE)),
    "renamed, over a removed one": (facts(elsewhere(), occupant=DOOMED), NOTHING, Action(Step.MOVE, replaces=DOOMED)),
    "renamed, where another is still to leave": (facts(elsewhere(), occupant=OTHER), NOTHING, wait(OTHER)),
    "renamed and written: moved first": (facts(elsewhere(at_content=2)), NOTHING, Action(Step.MOVE)),
    "moved to a directory to come": (facts(elsewhere(), parent=MISSING_PARENT), NOTHING, wait(MISSING_PARENT)),
    "directory renamed, by a move": (of_directory(elsewhere()), MOVES, Action(Step.MOVE)),
    "directory renamed, name by name": (of_directory(elsewhere()), NOTHING, Action(Step.SPLIT)),
    "directory renamed, where another is to leave": (of_directory(elsewhere(), occupant=OTHER), MOVES, wait(OTHER)),
    "directory renamed over a removed one: that goes first": (
        of_directory(elsewhere(), occupant=DOOMED_DIRECTORY),
        MOVES,
        wait(DOOMED),
    ),
    "directory renamed, split before it waits": (
        of_directory(elsewhere(), occupant=DOOMED_DIRECTORY),
        NOTHING,
        Action(Step.SPLIT),
    ),
    # rings
    "exchanged": (facts(elsewhere(), occupant=OTHER, ring=True), NOTHING, Action(Step.MOVE_ASIDE)),
    "directories exchanged": (of_directory(elsewhere(), occupant=OTHER, ring=True), MOVES, Action(Step.MOVE_ASIDE)),
    "directories exchanged, name by name": (
        of_directory(elsewhere(), occupant=OTHER, ring=True),
        NOTHING,
        Action(Step.SPLIT),
    ),
    "into a directory that waits for this one": (
        facts(elsewhere(), parent=MISSING_PARENT, ring=True),
        NOTHING,
        Action(Step.MOVE_ASIDE),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_next_step(case: str) -> None:
    given, can, expected = TABLE[case]
    assert plan(given, can) == expected


def test_the_table_has_every_step() -> None:
    assert {action.step for _, _, action in TABLE.values()} == set(Step)


@pytest.mark.parametrize("can", [NOTHING, MOVES, COPIES, LINKS])
def test_a_store_is_never_asked_for_what_it_cannot_do(can: Capabilities) -> None:
    for case, (given, _, _) in TABLE.items():
        step = plan(given, can).step
        assert can.hard_links or step is not Step.LINK, case
        assert can.server_copy or step is not Step.COPY, case
        moves_directory = given.is_directory and step in (Step.MOVE, Step.MOVE_ASIDE)
        assert can.directory_move or not moves_directory, case


def test_names_that_are_moved_aside_do_not_meet() -> None:
    assert aside_name(LinkId(7)) != aside_name(LinkId(8))
