"""The configuration file, and what ``NAME:PATH`` on the command line means.

The file is TOML, with a table ``[remote.NAME]`` for each remote. The remote ``local`` is built in.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import platformdirs

from cloudfs.errors import UsageError

Setting = str | int | float | bool

SITE_FILE = Path("/etc/cloudfs/config.toml")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SECRETS = frozenset({"key", "password", "client_secret", "token"})

# The settings each type of remote knows, beside ``type`` itself.
_TYPES: Mapping[str, Mapping[str, type[Setting]]] = {
    "local": {"directory": str},
}


@dataclass(frozen=True, slots=True)
class Remote:
    """One ``[remote.NAME]``. ``settings`` holds everything but the type, checked against what the type knows."""

    name: str
    type: str
    settings: Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class Config:
    """What is configured; ``file`` is where, None if there is no configuration."""

    file: Path | None
    remotes: Mapping[str, Remote]


@dataclass(frozen=True, slots=True)
class Source:
    """What to mount: the root ``path`` of a ``remote``. ``text`` is the one canonical way to write it."""

    text: str
    remote: Remote
    path: str


_BUILT_IN = Remote("local", "local", {})


def load_config(path: Path | None = None) -> Config:
    """Read ``path``, or else the first that exists of the places in `config_files`. No file is no remotes.

    Raises `UsageError` that names file and key for whatever is wrong in it.
    """
    if path is not None:
        return _read(path)
    named = os.environ.get("CLOUDFS_CONFIG")
    if named:
        return _read(Path(named))
    file = next((file for file in config_files() if file.exists()), None)
    return _read(file) if file else Config(None, {})


def config_files() -> tuple[Path, ...]:
    """Where the configuration may be if ``$CLOUDFS_CONFIG`` does not say: the user's, then the machine's."""
    return platformdirs.user_config_path("cloudfs") / "config.toml", SITE_FILE


def resolve_source(text: str, config: Config) -> Source:
    """What ``NAME:PATH`` means; for local directories also whether it exists. Raises `UsageError`."""
    name, colon, path = text.partition(":")
    if not colon:
        raise UsageError(f"{text}: a source is NAME:PATH, such as backup:photos or local:/srv/backup")
    remote = _BUILT_IN if name == _BUILT_IN.name else config.remotes.get(name)
    if remote is None:
        raise UsageError(_unknown_remote(name, config))
    if "\0" in path or ".." in path.split("/"):
        raise UsageError(f"{text}: the path of a source must not contain '..'")
    source = _canonical(remote, path)
    if remote.type == "local":
        _require_directory(source)
    return source


def local_directory(source: Source) -> Path:
    """The directory that a source of type ``local`` stands for."""
    return Path("/", str(source.remote.settings.get("directory", "/")), source.path)


def _canonical(remote: Remote, path: str) -> Source:
    absolute = remote.type == "local" and "directory" not in remote.settings
    if absolute and not path.startswith("/"):
        raise UsageError(f"{remote.name}:{path}: the directory must be absolute, such as {remote.name}:/srv/backup")
    parts = "/".join(part for part in path.split("/") if part not in ("", "."))
    path = f"/{parts}" if absolute else parts
    return Source(f"{remote.name}:{path}", remote, path)


def _require_directory(source: Source) -> None:
    directory = local_directory(source)
    if not directory.exists():
        raise UsageError(
            f"{source.text}: there is no directory {directory}; create it with: mkdir -p {quote(str(directory))}"
        )
    if not directory.is_dir():
        raise UsageError(f"{source.text}: {directory} is not a directory")


def _unknown_remote(name: str, config: Config) -> str:
    near = _nearest(name, [*config.remotes, _BUILT_IN.name])
    if config.file is None:
        return f"there is no remote {name}, and no configuration in {config_files()[0]}; {near}"
    return f"there is no remote {name} in {config.file}; {near}"


def _read(file: Path) -> Config:
    try:
        with open(file, "rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            tables = tomllib.load(opened)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read the configuration {file}: {reason}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: {error}") from None
    _check_keys(file, "", tables, ["remote"])
    remotes = _table(file, "remote", tables.get("remote", {}))
    _check_secrecy(file, mode, remotes)
    return Config(file, {name: _remote(file, name, table) for name, table in remotes.items()})


def _remote(file: Path, name: str, value: object) -> Remote:
    place = f"remote.{name}"
    table = _table(file, place, value)
    if not _NAME.fullmatch(name):
        raise UsageError(f"{file}: {place}: a name has letters, digits, '_', '-' and '.' only")
    if name == _BUILT_IN.name:
        raise UsageError(f"{file}: {place}: this name is built in; choose another")
    kind = table.get("type")
    if kind is None:
        raise UsageError(f'{file}: {place}: a type is missing, such as type = "local"')
    if not isinstance(kind, str) or kind not in _TYPES:
        raise UsageError(f"{file}: {place}.type: there is no type {kind!r}; {_nearest(str(kind), _TYPES)}")
    settings = {key: value for key, value in table.items() if key != "type"}
    _check_keys(file, f"{place}.", settings, ["type", *_TYPES[kind]])
    return Remote(name, kind, {key: _setting(file, f"{place}.{key}", kind, key, settings[key]) for key in settings})


def _setting(file: Path, place: str, kind: str, key: str, value: object) -> Setting:
    wanted = _TYPES[kind][key]
    # bool is an int to Python, and not to a person.
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        words = {str: "a text in quotes", int: "a number", float: "a number", bool: "true or false"}
        raise UsageError(f"{file}: {place}: {words[wanted]} is needed")
    if key == "directory" and not os.path.isabs(str(value)):
        raise UsageError(f"{file}: {place}: the directory must be absolute, such as /srv/backup")
    return value


def _table(file: Path, place: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UsageError(f"{file}: {place}: a table is needed, such as [remote.backup]")
    return value


def _check_keys(file: Path, place: str, table: Iterable[str], known: Iterable[str]) -> None:
    choices = list(known)
    for key in table:
        if key not in choices:
            raise UsageError(f"{file}: unknown key {place}{key}; {_nearest(key, choices)}")


def _check_secrecy(file: Path, mode: int, remotes: Mapping[str, object]) -> None:
    """Refuse a file that tells others a secret; whatever the types are, so that a typing error does not matter."""
    if not mode & 0o077:
        return
    for name, table in remotes.items():
        secret = next((key for key in table if key in _SECRETS), None) if isinstance(table, dict) else None
        if secret:
            raise UsageError(
                f"{file}: others may read remote.{name}.{secret}; protect it with: chmod 600 {quote(str(file))}"
            )


def _nearest(word: str, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.0)
    return f"did you mean {near[0]}?"
