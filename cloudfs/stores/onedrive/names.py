"""Names as OneDrive takes them: an encoding that can be undone, the one that users of rclone know, and a little more.

What OneDrive refuses becomes its full-width twin (``*`` is ``＊``), control characters their picture (``␁``), a byte
that is no UTF-8 ``‛`` and two digits, and a twin that was there already gets ``‛`` before it. cloudfs goes on where
rclone gives up: a name that is reserved gets a ``‛`` that breaks the word (``CO‛N``), and of names that differ in
nothing but case, which OneDrive cannot have together, all but one end in ``‛`` and a number in circles (``NAME‛①``).
"""

from __future__ import annotations

import re

from cloudfs.errors import NameRefused
from cloudfs.stores.base import Location, valid_name

NAME_LIMIT = 255
"""Characters of an encoded name."""
PATH_LIMIT = 399
"""Characters of a whole encoded path within a drive."""

_QUOTE = "‛"
_TWINS = str.maketrans('"*:<>?\\|', "＂＊：＜＞？＼｜")
_CONTROLS = {code: 0x2400 + code for code in range(1, 32)} | {0x7F: 0x2421}
_TO_TWIN = {**_TWINS, **_CONTROLS}
_FROM_TWIN = {chr(twin): chr(plain) for plain, twin in _TO_TWIN.items()}
_EDGES = {"␠": " ", "～": "~", "．": "."}
_NEEDS_QUOTE = frozenset({*_FROM_TWIN, *_EDGES, _QUOTE})
_RESERVED = re.compile(
    r"(?:(co)(n)|(pr)(n)|(au)(x)|(nu)(l)|(co)(m[0-9])|(lp)(t[0-9]))(\..*)?|(\.loc)(k)|(desktop\.in)(i)|(form)(s)",
    re.IGNORECASE | re.DOTALL,
)
_SYSTEM = re.compile("_vt(?=i_)", re.IGNORECASE)
_VARIANT = re.compile(_QUOTE + "([⓪①②③④⑤⑥⑦⑧⑨]+)$")
_CIRCLES = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")
_DIGITS = str.maketrans("⓪①②③④⑤⑥⑦⑧⑨", "0123456789")
_ESCAPED = re.compile(_QUOTE + "(?:([0-9A-F]{2})|(.)|$)", re.DOTALL)


def encode(name: bytes, variant: int = 0) -> str:
    """The name that OneDrive gets. ``variant`` tells names apart that differ in case only; 0 is the name itself.

    Raises `NameRefused` for what is no name, or too long.
    """
    if not valid_name(name):
        raise NameRefused(f"{name!r} is not a name")
    encoded = _encode(name, variant)
    if len(encoded) > NAME_LIMIT:
        raise NameRefused(f"OneDrive takes {NAME_LIMIT} characters in a name; this one needs {len(encoded)}")
    return encoded


def decode(name: str) -> bytes:
    """The name that the mount shows: what `encode` made this of, or itself if it is not the work of `encode`."""
    found = _VARIANT.search(name)
    readings = [(name, 0)]
    if found is not None:
        readings.append((name[: found.start()], int(found[1].translate(_DIGITS))))
    for stem, variant in readings:
        plain = _decode(stem)
        if valid_name(plain) and _encode(plain, variant) == name:
            return plain
    return name.encode("utf-8", "surrogatepass")


def encode_path(location: Location, base: str) -> str:
    """The encoded path of a location within the drive; ``base`` is that of the mounted root, without slashes around.

    Raises `NameRefused` for what is longer than OneDrive takes.
    """
    names = [encode(name) for name in location.path.split(b"/")] if location.path else []
    path = "/".join([base, *names] if base else names)
    if len(path) > PATH_LIMIT:
        raise NameRefused(f"OneDrive takes {PATH_LIMIT} characters in a path; this one has {len(path)}")
    return path


def _encode(name: bytes, variant: int) -> str:
    encoded = _break_reserved(_encode_edges(_encode_characters(name)))
    return encoded + _QUOTE + str(variant).translate(_CIRCLES) if variant else encoded


def _encode_characters(name: bytes) -> str:
    found: list[str] = []
    for character in name.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            found.append(f"{_QUOTE}{code - 0xDC00:02X}")
        elif character in _NEEDS_QUOTE:
            found.append(_QUOTE + character)
        else:
            found.append(chr(_TO_TWIN.get(code, code)))
    return "".join(found)


def _encode_edges(name: str) -> str:
    """What is refused at the beginning or the end only."""
    first = {" ": "␠", "~": "～"}
    last = {" ": "␠", ".": "．"}
    if name[-1] in last:
        name = name[:-1] + last[name[-1]]
    if name[0] in first:
        name = first[name[0]] + name[1:]
    return name


def _break_reserved(name: str) -> str:
    name = _SYSTEM.sub(lambda found: found[0] + _QUOTE, name)
    found = _RESERVED.fullmatch(name)
    if found is None:
        return name
    begin, *rest = [part for part in found.groups() if part]
    return begin + _QUOTE + "".join(rest)


def _decode(name: str) -> bytes:
    """Undo every step, whether or not there was one."""
    plain: list[bytes] = []
    at = 0
    for found in _ESCAPED.finditer(name):
        plain.append(_decode_plain(name, at, found.start()))
        if found[1]:
            plain.append(bytes([int(found[1], 16)]))
        elif found[2] and found[2] in _NEEDS_QUOTE:
            plain.append(found[2].encode())
        else:
            plain.append((found[2] or "").encode("utf-8", "surrogatepass"))
        at = found.end()
    plain.append(_decode_plain(name, at, len(name)))
    return b"".join(plain)


def _decode_plain(name: str, start: int, stop: int) -> bytes:
    """The part without quotes; only the ends of the whole name have twins of what is refused at ends."""
    found = [_FROM_TWIN.get(character, character) for character in name[start:stop]]
    if found and start == 0 and found[0] in ("␠", "～"):
        found[0] = _EDGES[found[0]]
    if found and stop == len(name) and found[-1] in ("␠", "．"):
        found[-1] = _EDGES[found[-1]]
    return "".join(found).encode("utf-8", "surrogatepass")
