"""Mount options: the text of ``-o`` and of fstab becomes one `MountOptions`.

`WORDS` is the only list of them: parsing, suggestions, completion, ``--help`` and the man page all read it.
"""

from __future__ import annotations

import dataclasses
import difflib
import grp
import os
import pwd
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cloudfs.errors import UsageError
from cloudfs.quantities import parse_duration, parse_size

SyncMode = Literal["local", "remote"]


@dataclass(frozen=True, slots=True)
class MountOptions:
    """What a person asked of a mount. Sizes are bytes, times are seconds."""

    cache_dir: Path | None = None
    """Exactly this directory; None: `cloudfs.daemon.directories` chooses. The same for ``state_dir``."""
    state_dir: Path | None = None
    cache_size: int = 10 << 30
    dir_cache_time: float = 300.0
    uploads: int = 8
    sync: SyncMode = "local"
    xattr: bool = False
    attributes: bool = True
    """Keep permissions, owners, links and exact times beside the files, on stores that have no place for them."""
    allow_other: bool = False
    uid: int | None = None
    """Owner of what the store knows no owner of. None: whoever mounts. The same for ``gid`` and ``umask``."""
    gid: int | None = None
    umask: int | None = None
    read_only: bool = False
    suid: bool = False
    """Only ever True for root. The same for ``dev``."""
    dev: bool = False
    kernel: tuple[str, ...] = ()
    """Options to hand to the kernel's mount as they are: ``noexec``, ``noatime``, and for root ``…context=…``."""
    debug: bool = False
    umount_timeout: float | None = None
    """How long the end of the mount stores what is left, in seconds; None: for ever."""


@dataclass(frozen=True, slots=True)
class Word:
    """One option as it is documented. ``value`` names what follows ``=``, empty if nothing does."""

    name: str
    value: str
    help: str


WORDS: tuple[Word, ...] = (
    Word("cache_dir", "DIRECTORY", "keep cached file contents exactly there; it may be deleted at any time"),
    Word("state_dir", "DIRECTORY", "keep the catalogue and files not yet uploaded exactly there; never delete it"),
    Word("cache_size", "SIZE", "use at most this much disk for cached contents, such as 256MiB or 10G (default: 10G)"),
    Word("dir_cache_time", "TIME", "notice changes made by others within this time, such as 30s or 5m (default: 5m)"),
    Word("uploads", "NUMBER", "upload this many files at a time (default: 8)"),
    Word("sync", "local|remote", "what close() and fsync() wait for: this disk (default), or the store"),
    Word("umount_timeout", "TIME", "how long umount and SIGTERM store what is left (default: for ever)"),
    Word(
        "attributes", "on|off", "keep permissions, owners and links where the store has no place for them (default: on)"
    ),
    Word("xattr", "", "extended attributes; they cost a request for every write"),
    Word("allow_other", "", "let other users see the mount (default for root: only root)"),
    Word("uid", "USER", "owner of files whose owner the store does not know (default: who mounts)"),
    Word("gid", "GROUP", "group of files whose group the store does not know (default: who mounts)"),
    Word("umask", "OCTAL", "permissions to take away from files whose permissions the store does not know"),
    Word("ro", "", "read only"),
    Word("rw", "", "reading and writing (default)"),
    Word("suid", "", "honour set-user-id bits; root only"),
    Word("dev", "", "honour device files; root only"),
    Word("noexec", "", "run no programs from the mount"),
    Word(
        "noatime", "", "handed to the kernel, like the SELinux options context=, fscontext=, defcontext=, rootcontext="
    ),
    Word("debug", "", "log every request"),
)

_SWITCHES: Mapping[str, tuple[tuple[str, bool], ...]] = {
    "ro": (("read_only", True),),
    "rw": (("read_only", False),),
    "xattr": (("xattr", True),),
    "noxattr": (("xattr", False),),
    "allow_other": (("allow_other", True),),
    "suid": (("suid", True),),
    "nosuid": (("suid", False),),
    "dev": (("dev", True),),
    "nodev": (("dev", False),),
    "debug": (("debug", True),),
    # mount(8): whoever lets ordinary users mount implies these, unless a later word says otherwise.
    **dict.fromkeys(("user", "users", "owner", "group"), (("suid", False), ("dev", False))),
}

# Words libfuse and the kernel know for a FUSE mount, in groups of which the last one said holds. "" is the default.
_KERNEL: Mapping[str, tuple[str, str]] = {
    "exec": ("exec", ""),
    "noexec": ("exec", "noexec"),
    "user": ("exec", "noexec"),
    "users": ("exec", "noexec"),
    "atime": ("atime", ""),
    "noatime": ("atime", "noatime"),
    "relatime": ("atime", ""),
    "strictatime": ("atime", ""),
}
_KERNEL_VALUES = frozenset({"context", "fscontext", "defcontext", "rootcontext"})

# What mount(8), systemd and libfuse say that means nothing here. The bare word ``sync`` asks the kernel for
# synchronous writes of a block device; who wants uploads to be synchronous says ``sync=remote``. ``defaults`` does not
# bring suid and dev: who wants them on a mount of files from elsewhere says so.
_MEANINGLESS = """
    defaults auto noauto nofail nouser noowner nogroup _netdev _rnetdev sync async dirsync diratime nodiratime
    norelatime nostrictatime lazytime nolazytime iversion noiversion mand nomand silent loud symfollow acl noacl
    quota noquota usrquota grpquota default_permissions nonempty auto_unmount big_writes kernel_cache auto_cache
"""
_IGNORED = frozenset(_MEANINGLESS.split())
_IGNORED_VALUES = frozenset({"user", "comment", "helper", "uhelper", "fsname", "subtype", "max_read", "pgroup"})


def parse_options(text: str | Iterable[str], *, privileged: bool | None = None, sloppy: bool = False) -> MountOptions:
    """The options in ``text``, comma separated, or in several such texts; of contradicting words the last one holds.

    ``suid``, ``dev`` and security contexts need ``privileged`` (by default: whether we are root), else are ignored.
    ``sloppy`` ignores unknown words, as mount(8) wants with ``-s``; else they raise `UsageError`.
    """
    texts = [text] if isinstance(text, str) else list(text)
    changes: dict[str, Any] = {}
    kernel: dict[str, str] = {}
    for word in (word for part in texts for word in _split(part)):
        name, equals, value = word.partition("=")
        known = _apply_value(name, value, changes, kernel) if equals else _apply_switch(name, changes, kernel)
        if not known and not _ignored(name, bool(equals)) and not sloppy:
            raise UsageError(_complaint(name, bool(equals)))
    if not (os.geteuid() == 0 if privileged is None else privileged):
        changes.update(suid=False, dev=False)
        kernel = {group: word for group, word in kernel.items() if group not in _KERNEL_VALUES}
    changes["kernel"] = tuple(word for word in kernel.values() if word)
    return dataclasses.replace(MountOptions(), **changes)


def _split(text: str) -> Iterator[str]:
    """Words between commas; a comma inside double quotes or after a backslash belongs to the word."""
    word, quoted, escaped = "", False, False
    for character in text:
        if escaped:
            word, escaped = word + character, False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            yield from _nonempty(word)
            word = ""
        else:
            word += character
    yield from _nonempty(word)


def _nonempty(word: str) -> Iterator[str]:
    if word.strip():
        yield word.strip()


def _apply_switch(name: str, changes: dict[str, Any], kernel: dict[str, str]) -> bool:
    if name == "remount":
        raise UsageError("a cloudfs mount cannot be remounted: unmount it, then mount it again")
    changes.update(_SWITCHES.get(name, ()))
    if name in _KERNEL:
        group, word = _KERNEL[name]
        kernel[group] = word
    return name in _SWITCHES or name in _KERNEL


def _apply_value(name: str, value: str, changes: dict[str, Any], kernel: dict[str, str]) -> bool:
    if name in _KERNEL_VALUES:
        kernel[name] = f"{name}={value}"
        return True
    if name not in _VALUES:
        return False
    try:
        changes[name] = _VALUES[name](value)
    except ValueError as error:
        raise UsageError(f"option {name}={value}: {error}") from None
    return True


def _ignored(name: str, has_value: bool) -> bool:
    return name.startswith(("x-", "X-")) or name in (_IGNORED_VALUES if has_value else _IGNORED)


def _complaint(name: str, has_value: bool) -> str:
    valueless = name in _SWITCHES or name in _KERNEL or name in _IGNORED
    if has_value and valueless:
        return f"option {name} takes no value"
    if not has_value and name in _VALUES:
        word = next(word for word in WORDS if word.name == name)
        return f"option {name} needs a value: {name}={word.value}"
    near = difflib.get_close_matches(name, [*_VALUES, *_SWITCHES, *_KERNEL, *_KERNEL_VALUES, *_IGNORED], n=1)
    # Words of mount(8) are worth suggesting only where they are meant.
    near = near or difflib.get_close_matches(name, [word.name for word in WORDS], n=1, cutoff=0.0)
    return f"unknown option {name}; did you mean {near[0]}?"


def _directory(value: str) -> Path:
    if not value:
        raise ValueError("the name of a directory is missing")
    # The daemon changes to another directory before it uses this.
    return Path(value).expanduser().absolute()


def _cache_size(value: str) -> int:
    size = parse_size(value)
    if size < 1 << 20:
        raise ValueError("at least 1MiB is needed")
    return size


def _uploads(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= 256:
        raise ValueError("a number from 1 to 256 is needed")
    return int(value)


def _attributes(value: str) -> bool:
    if value not in ("on", "off"):
        raise ValueError("either attributes=on or attributes=off")
    return value == "on"


def _sync(value: str) -> SyncMode:
    match value:
        case "local":
            return "local"
        case "remote":
            return "remote"
    raise ValueError("either sync=local or sync=remote")


def _user(value: str) -> int:
    try:
        return _identifier(value) if value.isdecimal() else pwd.getpwnam(value).pw_uid
    except KeyError:
        raise ValueError("there is no such user") from None


def _group(value: str) -> int:
    try:
        return _identifier(value) if value.isdecimal() else grp.getgrnam(value).gr_gid
    except KeyError:
        raise ValueError("there is no such group") from None


def _identifier(value: str) -> int:
    # The last of the 32 bits' values means "unchanged" to chown(2).
    if int(value) >= (1 << 32) - 1:
        raise ValueError("that number is too large")
    return int(value)


def _umask(value: str) -> int:
    if not value or not set(value) <= set("01234567") or int(value, 8) > 0o777:
        raise ValueError("an octal number such as 022 is needed")
    return int(value, 8)


_VALUES: Mapping[str, Callable[[str], object]] = {
    "cache_dir": _directory,
    "state_dir": _directory,
    "cache_size": _cache_size,
    "dir_cache_time": parse_duration,
    "uploads": _uploads,
    "sync": _sync,
    "attributes": _attributes,
    "uid": _user,
    "gid": _group,
    "umask": _umask,
    "umount_timeout": parse_duration,
}
