"""What the store still needs for one name: desired and actual in, the next action out. Pure.

The planner is asked again after every action, so it never thinks further than one step, and a crash between two
steps needs no recovery: the next question gets the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from cloudfs.catalog.links import Link
from cloudfs.stores.base import Capabilities
from cloudfs.types import LinkId


class Step(Enum):
    """What to do next for a name."""

    DONE = auto()
    """Nothing: desired and actual agree."""
    FORGET = auto()
    """It is in neither tree."""
    WAIT = auto()
    """Another name has to get somewhere first (`Action.other`)."""
    FIND_OUT = auto()
    """Look what became of an earlier call that was never answered."""
    MAKE_DIRECTORY = auto()
    UPLOAD = auto()
    """Content and attributes, replacing what is in the desired place."""
    LINK = auto()
    """Another name of the object that `Action.other` has at the store."""
    COPY = auto()
    """A copy, made by the store, of the object that `Action.other` has."""
    SET_ATTRIBUTES = auto()
    MOVE = auto()
    SPLIT = auto()
    """A directory that the store cannot move: make it anew, and let what is inside follow name by name."""
    MOVE_ASIDE = auto()
    """Take a temporary name, out of everybody's way: to break a ring of names that wait for each other, and for what
    was deleted but is still being read while its place is wanted."""
    INHERIT = auto()
    """The object of another name of the file, which is to be deleted (`Action.other`), becomes this name's."""
    TAKE_OVER = auto()
    """A directory is wanted where the store still has one that is to be deleted (`Action.other`): use that one."""
    DELETE = auto()


@dataclass(frozen=True, slots=True)
class Action:
    """``replaces`` is the object known to be in the desired place, which the action overwrites."""

    step: Step
    other: LinkId | None = None
    replaces: Link | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that matters for one name.

    ``parent`` is the name of its desired directory; ``below`` that one, or one above it, which is inside this one at
    the store and is to go elsewhere; ``occupant`` what else the store has in the desired place;
    ``twin`` another name of the same inode that the store has with the current content; ``inside`` some object in
    a directory's actual place; ``heir`` (``occupant_heir``) a name that still needs the object of this name (of the
    occupant), because no other holds its bytes; ``successor`` a new directory that is about to take over this one,
    which is to be deleted; ``in_use`` (``occupant_in_use``) whether somebody has the file open, whose name is deleted;
    ``in_doubt`` whether an earlier call was never answered; ``ring`` whether what this name would wait for waits,
    through others, for this name.
    """

    link: Link
    is_directory: bool
    content: int
    attrs: int
    parent: Link | None = None
    below: Link | None = None
    occupant: Link | None = None
    twin: Link | None = None
    inside: Link | None = None
    heir: Link | None = None
    occupant_heir: Link | None = None
    successor: Link | None = None
    in_use: bool = False
    occupant_in_use: bool = False
    in_doubt: bool = False
    ring: bool = False


def aside_name(link: LinkId) -> bytes:
    """The temporary name of `Step.MOVE_ASIDE`."""
    return b".cloudfs-aside-%d" % link


def plan(facts: Facts, can: Capabilities) -> Action:
    """The next action. Every action but WAIT brings desired and actual closer together."""
    link = facts.link
    if facts.in_doubt:
        return Action(Step.FIND_OUT)
    if link.doomed:
        return _plan_removal(facts)
    if facts.twin is not None and facts.twin.doomed and not link.stored:
        return Action(Step.INHERIT, other=facts.twin.id)
    if facts.ring and link.stored:
        return Action(Step.MOVE_ASIDE if can.directory_move or not facts.is_directory else Step.SPLIT)
    if facts.parent is not None and not facts.parent.stored:
        return Action(Step.WAIT, other=facts.parent.id)
    if link.in_place:
        return _plan_in_place(facts, can)
    if facts.is_directory and link.stored and not can.directory_move:
        return Action(Step.SPLIT)
    if facts.below is not None:
        return Action(Step.WAIT, other=facts.below.id)
    return _blocked(facts) or _plan_new_place(facts, can)


def _plan_removal(facts: Facts) -> Action:
    if not facts.link.stored:
        return Action(Step.FORGET)
    blocker = facts.inside or facts.heir or (None if facts.ring else facts.successor)
    if blocker is not None:
        return Action(Step.WAIT, other=blocker.id)
    return Action(Step.MOVE_ASIDE if facts.in_use else Step.DELETE)


def _plan_in_place(facts: Facts, can: Capabilities) -> Action:
    link = facts.link
    if not facts.is_directory and link.at_content != facts.content:
        return _plan_content(facts, can, replaces=link)
    if link.at_attrs != facts.attrs:
        return Action(Step.SET_ATTRIBUTES)
    return Action(Step.DONE)


def _plan_new_place(facts: Facts, can: Capabilities) -> Action:
    if facts.link.stored:
        return Action(Step.MOVE, replaces=facts.occupant)
    if facts.is_directory:
        return Action(Step.MAKE_DIRECTORY)
    return _plan_content(facts, can, replaces=facts.occupant)


def _plan_content(facts: Facts, can: Capabilities, replaces: Link | None) -> Action:
    if facts.twin is not None and can.hard_links:
        return Action(Step.LINK, other=facts.twin.id, replaces=replaces)
    if facts.twin is not None and can.server_copy:
        return Action(Step.COPY, other=facts.twin.id, replaces=replaces)
    return Action(Step.UPLOAD, replaces=replaces)


def _blocked(facts: Facts) -> Action | None:
    """The desired place is taken, by something that cannot simply be overwritten."""
    occupant = facts.occupant
    if occupant is None:
        return None
    if occupant.doomed and facts.is_directory and not facts.link.stored and not occupant.version:
        return Action(Step.TAKE_OVER, other=occupant.id)  # whichever of the two is asked first: `Facts.successor`
    needed = facts.occupant_heir is not None or facts.occupant_in_use
    if occupant.doomed and not facts.is_directory and occupant.version and not needed:
        return None
    return Action(Step.WAIT, other=occupant.id)
