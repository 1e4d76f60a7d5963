"""Which names OneDrive takes (protocol sheet, section 2)."""

from __future__ import annotations

import re

from tests.emulators.onedrive.refusals import Refusal, invalid

_FORBIDDEN = set('"*:<>?/\\|') | {chr(code) for code in range(32)} | {"\x7f"}
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_RESERVED = frozenset({".lock", "desktop.ini"})
NAME_LIMIT = 255
PATH_LIMIT = 400


def check_name(name: str, *, drive_kind: str, in_root: bool, is_folder: bool) -> None:
    """Raises the `Refusal` of a name that cannot be given."""
    folded = name.casefold()
    if not name or name in (".", "..") or _FORBIDDEN & set(name) or any(0xD800 <= ord(c) < 0xE000 for c in name):
        raise _bad("The name contains characters that are not allowed.")
    if name != name.strip(" ") or name.endswith("."):
        raise _bad("The name must not begin or end with a space, nor end with a period.")
    if folded in _RESERVED or _DEVICES.fullmatch(name) or "_vti_" in folded or name.startswith("~$"):
        raise _bad("The name is reserved.")
    if drive_kind != "personal" and is_folder and name.startswith("~"):
        raise _bad("The name of a folder must not begin with a tilde.")
    if drive_kind != "personal" and in_root and folded == "forms":
        raise _bad("The name is reserved in the root of a library.")
    if len(name) > NAME_LIMIT:
        raise invalid("The name is too long.", "nameIsTooLong")


def check_path(path: str) -> None:
    """``path`` is the whole decoded path within the drive, without a leading slash."""
    if len(path) >= PATH_LIMIT:
        raise invalid("The path is too long.", "pathIsTooLong")


def fold(name: str) -> str:
    """Equal for names that cannot be in one folder together."""
    return name.casefold()


def _bad(message: str) -> Refusal:
    return invalid(message)
