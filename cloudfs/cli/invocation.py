"""Other ways to be called, turned into ``cloudfs mount ...`` and ``cloudfs umount ...``. Pure.

* ``mount.cloudfs SOURCE MOUNTPOINT [-sfnv] -o OPTIONS``, ``umount.cloudfs MOUNTPOINT [-nlfvr]``: the helpers of
  mount(8) and umount(8), told by the name we are called by, or by the first word (``contrib/fstab``);
* ``cloudfs SOURCE MOUNTPOINT -o OPTIONS``: what ``mount.fuse`` makes of an fstab line.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

_HELPERS = ("mount.cloudfs", "umount.cloudfs")
_TAKE_A_VALUE = frozenset({"-o", "-t", "-N", "--options"})


def rewrite(arguments: Sequence[str], commands: Collection[str]) -> list[str]:
    """The arguments of the ``cloudfs`` program for a whole command line, its name included."""
    name, given = os.path.basename(arguments[0]), list(arguments[1:])
    if given and given[0] in _HELPERS:
        name, *given = given
    if name.startswith("mount."):
        # Here -f is mount(8)'s "fake"; to a person it means the foreground, as for every FUSE program.
        return ["mount", *("--fake" if argument == "-f" else argument for argument in given)]
    if name.startswith("umount."):
        return ["umount", *given]
    first = _first_word(given)
    if first is not None and first not in commands and _is_source(first):
        return ["mount", *given]
    return given


def _first_word(arguments: Sequence[str]) -> str | None:
    """The first argument that is neither an option nor belongs to one."""
    previous = ""
    for argument in arguments:
        if not argument.startswith("-") and previous not in _TAKE_A_VALUE:
            return argument
        previous = argument
    return None


def _is_source(word: str) -> bool:
    return ":" in word or word.startswith("cloudfs#")
