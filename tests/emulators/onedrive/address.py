"""How Graph addresses an item: ``/drives/D/items/I:/a/b:/action`` and its like, taken apart strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from tests.emulators.onedrive.refusals import invalid, not_found

_ROOT = re.compile(r"/(?:me/drive|drives/(?P<drive>[^/:]+))(?P<rest>/root|/items/(?P<item>[^/:]+))?(?P<tail>.*)")
_RAW = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=@/]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True)
class Address:
    """``drive`` is None for one's own; ``item`` None for the root; ``names`` lead on from there, decoded.

    ``action`` is what comes after the item: ``children``, ``content`` ... ``on_drive`` says that no item is meant.
    """

    drive: str | None
    item: str | None
    names: tuple[str, ...]
    action: str
    on_drive: bool = False


def parse(path: str) -> Address:
    """``path`` is what follows ``/v1.0``, as it was sent. Raises `Refusal`."""
    if not _RAW.fullmatch(path.replace(":", "")):
        raise invalid("The address is not properly encoded.")
    found = _ROOT.fullmatch(path)
    if found is None:
        raise Unknown(path)
    drive = unquote_to_bytes(found["drive"]).decode() if found["drive"] else None
    item = unquote_to_bytes(found["item"]).decode() if found["item"] else None
    if found["rest"] is None:
        if found["tail"]:
            raise Unknown(path)
        return Address(drive, None, (), "", on_drive=True)
    names, action = _tail(found["tail"])
    return Address(drive, item, names, action)


class Unknown(Exception):
    """Not an address of an item."""


def _tail(tail: str) -> tuple[tuple[str, ...], str]:
    if not tail.startswith(":"):
        return (), tail.removeprefix("/")
    if not tail.startswith(":/"):
        raise invalid("A path must begin with a slash.")
    path, colon, action = tail[2:].partition(":")
    if colon and action and not action.startswith("/"):  # a colon and nothing after it: clients in use send that
        raise invalid("There is a colon after the path, and nothing it leads to.")
    if not path or path.startswith("/") or path.endswith("/") or "//" in path:
        raise invalid("The path is empty, or has empty parts.")
    try:
        names = tuple(unquote_to_bytes(name).decode() for name in path.split("/"))
    except UnicodeDecodeError:
        raise invalid("The path is not UTF-8.") from None
    if any(name in (".", "..") or "/" in name for name in names):
        raise not_found()
    return names, action.removeprefix("/")
