"""What a store type can be told in ``[remote.NAME]``: a description that parsing, questions and documentation share."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from cloudfs.quantities import parse_duration, parse_size
from cloudfs.settings.secret import Secret

Value = str | int | float | bool | Secret
"""A setting as the program uses it: sizes are bytes, times are seconds."""


class Kind(Enum):
    """What a setting is. The value is what the reference calls it."""

    TEXT = "text"
    NUMBER = "number"
    SIZE = "size"
    """``"64MiB"``, or a number of bytes."""
    DURATION = "time"
    """``"5m"``, or a number of seconds."""
    SWITCH = "true or false"
    DIRECTORY = "text, absolute path"
    URL = "URL"
    SECRET = "secret"
    """Given as ``NAME``, or better where it can be found: ``NAME_file``, ``NAME_command``."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of ``[remote.NAME]``.

    ``help`` is one or more sentences of Markdown. ``default`` is used where nothing is said; None if there is no
    sensible one. ``environment`` names variables that are asked, in this order, when the file does not say it.
    ``choices``, if any, are all that a text may be. ``usual`` ones are not required, but asked for on a terminal.
    ``aliases`` are the keys by which other programs of the same provider know it.
    """

    name: str
    help: str
    kind: Kind = Kind.TEXT
    required: bool = False
    default: str | int | float | bool | None = None
    environment: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    usual: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys under which it may stand in the file: at most one of them."""
        if self.kind is Kind.SECRET:
            return self.name, f"{self.name}_file", f"{self.name}_command", *self.aliases
        return (self.name, *self.aliases)

    def canonical(self, key: str) -> str:
        """The key itself, or for an alias the one that is ours."""
        return self.name if key in self.aliases else key

    def check(self, key: str, value: object) -> Value:
        """``value`` as TOML gave it for ``key``, as the program uses it. `ValueError` that says what is needed."""
        if self.canonical(key) != self.name:
            return _location(key, _text(value))
        checked = _CHECKS[self.kind](value)
        if self.choices and checked not in self.choices:
            raise ValueError(f"one of {', '.join(self.choices)} is needed")
        return checked

    def parse(self, key: str, text: str) -> str | int | bool:
        """What a person typed for ``key``, as it should stand in the file. `ValueError` that says what is needed."""
        value: str | int | bool = text
        if key == self.name and self.kind is Kind.SWITCH:
            value = _SWITCHES.get(text.strip().lower(), text)
        elif key == self.name and self.kind is Kind.NUMBER and text.strip().removeprefix("-").isdecimal():
            value = int(text)
        self.check(key, value)
        return value


@dataclass(frozen=True, slots=True)
class StoreType:
    """One ``type`` of remote, and all it can be told.

    ``summary`` is one sentence. ``sign_in`` says that a person signs in once, with ``cloudfs login``, and that what
    comes of it is kept apart from the configuration; unless the setting ``instead`` is given, which does without.
    """

    name: str
    summary: str
    settings: Sequence[Setting]
    sign_in: bool = False
    instead: str = ""

    def setting(self, name: str) -> Setting:
        """By its name. `KeyError` is a mistake in the program."""
        for setting in self.settings:
            if setting.name == name:
                return setting
        raise KeyError(name)

    def needs_sign_in(self, given: Collection[str]) -> bool:
        """Whether a person has to sign in to a remote that has the keys ``given``."""
        return self.sign_in and not (self.instead and set(self.setting(self.instead).keys) & set(given))

    @property
    def keys(self) -> Mapping[str, Setting]:
        """Every key that may stand in a table of this type."""
        return {key: setting for setting in self.settings for key in setting.keys}


_SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text in quotes is needed")
    return value


def _number(value: object) -> int:
    # bool is an int to Python, and not to a person.
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


def _size(value: object) -> int:
    if isinstance(value, str):
        return parse_size(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError('a size is needed, such as "64MiB", or a number of bytes')
    return value


def _duration(value: object) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise ValueError('a time is needed, such as "5m", or a number of seconds')
    return float(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is needed")
    return value


def _directory(value: object) -> str:
    if not os.path.isabs(_text(value)):
        raise ValueError("the directory must be absolute, such as /srv/backup")
    return _text(value)


def _url(value: object) -> str:
    address = urlsplit(_text(value))
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("an address is needed, such as https://example.com/v3")
    if address.username is not None or address.password is not None:
        raise ValueError("an address must not contain a user or a password; there are settings for them")
    return _text(value)


def _secret(value: object) -> Secret:
    return Secret(_text(value))


def _location(key: str, text: str) -> str:
    """Where a secret is: a file or a command."""
    if not text.strip():
        raise ValueError("it is empty")
    if key.endswith("_file") and not text.startswith(("/", "~/")):
        raise ValueError("the file must be absolute or start with ~/, such as ~/.config/cloudfs/key")
    return text


_CHECKS: Mapping[Kind, Callable[[object], Value]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.SIZE: _size,
    Kind.DURATION: _duration,
    Kind.SWITCH: _switch,
    Kind.DIRECTORY: _directory,
    Kind.URL: _url,
    Kind.SECRET: _secret,
}
