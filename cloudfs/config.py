"""The configuration file, and what ``NAME:PATH`` on the command line means.

The file is TOML, with a table ``[remote.NAME]`` for each remote. The remote ``local`` is built in.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import platformdirs

from cloudfs.errors import UsageError
from cloudfs.retention import Rules, parse_rules
from cloudfs.settings.kinds import Kind, Setting, StoreType, Value
from cloudfs.settings.types import STORE_TYPES

SITE_FILE = Path("/etc/cloudfs/config.toml")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SECRETS = frozenset(
    {"key", "password", "client_secret", "token"}
    | {
        key
        for kind in STORE_TYPES.values()
        for setting in kind.settings
        if setting.kind is Kind.SECRET
        for key in (setting.name, *setting.aliases)
    }
)


@dataclass(frozen=True, slots=True)
class Remote:
    """One ``[remote.NAME]``. ``settings`` holds everything but the type, checked against what the type knows.

    The methods give the value of a setting by its kind: what the file says, else what the environment says, else
    the declared default. They raise `UsageError` for a setting that is required and nowhere, or that the
    environment has wrong; secrets are for `cloudfs.auth.secrets`, which knows more places.
    """

    name: str
    type: str
    settings: Mapping[str, Value]

    @property
    def kind(self) -> StoreType:
        return STORE_TYPES[self.type]

    def text(self, name: str) -> str:
        """Also of addresses and directories; ``""`` if it is not said."""
        value = self._value(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> int:
        """Also of sizes, in bytes; for settings that are required or have a default."""
        value = self._value(name)
        assert isinstance(value, int), f"{name} has no default"
        return value

    def seconds(self, name: str) -> float:
        """Of a time; for settings that are required or have a default."""
        value = self._value(name)
        assert isinstance(value, int | float), f"{name} has no default"
        return value

    def switch(self, name: str) -> bool:
        """False if it is not said and has no default."""
        return self._value(name) is True

    def missing(self, setting: Setting) -> UsageError:
        """What to raise for a setting that is required and nowhere."""
        places = [f"${variable}" for variable in setting.environment]
        other = f", or in the environment as {' or '.join(places)}" if places else ""
        return UsageError(f"remote {self.name}: {setting.name} is missing; set it in [remote.{self.name}]{other}")

    def _value(self, name: str) -> Value | None:
        setting = self.kind.setting(name)
        if name in self.settings:
            return self.settings[name]
        for variable in setting.environment:
            if text := os.environ.get(variable):
                return _from_environment(setting, variable, text)
        if setting.required:
            raise self.missing(setting)
        return setting.default


@dataclass(frozen=True, slots=True)
class Config:
    """What is configured; ``file`` is where, None if there is no configuration."""

    file: Path | None
    remotes: Mapping[str, Remote]
    retention: Sequence[Stanza] = ()

    def remote(self, name: str) -> Remote:
        """The one of that name. Raises `UsageError`."""
        if name not in self.remotes:
            known = f"it has {', '.join(self.remotes)}" if self.remotes else "it has none"
            raise UsageError(f"there is no remote {name} in {self.file or 'the configuration'}; {known}")
        return self.remotes[name]


@dataclass(frozen=True, slots=True)
class Stanza:
    """One ``[[retention]]``: the rules for a directory of a remote."""

    remote: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class Source:
    """What to mount: the root ``path`` of a ``remote``. ``text`` is the one canonical way to write it."""

    text: str
    remote: Remote
    path: str


_BUILT_IN = Remote("local", "local", {})


def remote_name(text: str) -> str:
    """``text`` if a remote may be called that; `UsageError` with the reason if not."""
    if not _NAME.fullmatch(text):
        raise UsageError(f"{text}: a name has letters, digits, '_', '-' and '.' only")
    if text == _BUILT_IN.name:
        raise UsageError(f"{text}: this name is built in; choose another")
    return text


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


def config_file() -> Path:
    """Where the configuration is, or will be if there is none yet."""
    named = os.environ.get("CLOUDFS_CONFIG")
    return Path(named) if named else next((file for file in config_files() if file.exists()), config_files()[0])


def config_files() -> tuple[Path, ...]:
    """Where the configuration may be if ``$CLOUDFS_CONFIG`` does not say: the user's, then the machine's."""
    return platformdirs.user_config_path("cloudfs") / "config.toml", SITE_FILE


def resolve_source(text: str, config: Config, *, must_exist: bool = True) -> Source:
    """What ``NAME:PATH`` means. Raises `UsageError`, also if a local directory ``must_exist`` and does not."""
    name, colon, path = text.partition(":")
    if not colon:
        raise UsageError(f"{text}: a source is NAME:PATH, such as backup:photos or local:/srv/backup")
    remote = _BUILT_IN if name == _BUILT_IN.name else config.remotes.get(name)
    if remote is None:
        raise UsageError(_unknown_remote(name, config))
    if "\0" in path or ".." in path.split("/"):
        raise UsageError(f"{text}: the path of a source must not contain '..'")
    source = _canonical(remote, path)
    if must_exist:
        require_directory(source)
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


def require_directory(source: Source) -> None:
    """Raises `UsageError` if the source is a local directory that is not there: a typing error, most likely."""
    if source.remote.type != "local":
        return
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


def parse_config(file: Path, text: str, mode: int = 0o600) -> Config:
    """What ``text`` says if it stands in ``file`` with these permissions. Raises `UsageError`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: {error}") from None
    _check_keys(file, "", tables, ["remote", "retention"])
    remotes = _table(file, "remote", tables.get("remote", {}))
    _check_secrecy(file, mode, remotes)
    return Config(
        file,
        {name: _remote(file, name, table) for name, table in remotes.items()},
        _stanzas(file, tables.get("retention", []), [*remotes, _BUILT_IN.name]),
    )


def retention_of(source: Source, config: Config) -> list[Rules]:
    """The rules for directories in a source, with paths relative to it."""
    above = [part for part in source.path.split("/") if part]
    found = []
    for stanza in config.retention:
        parts = stanza.rules.path.split("/") if stanza.rules.path else []
        if stanza.remote == source.remote.name and parts[: len(above)] == above:
            found.append(replace(stanza.rules, path="/".join(parts[len(above) :])))
    return found


def _stanzas(file: Path, value: object, remotes: Sequence[str]) -> tuple[Stanza, ...]:
    if not isinstance(value, list):
        raise UsageError(f"{file}: retention: tables are needed, each begun with [[retention]]")
    return tuple(_stanza(file, f"retention {number}", table, remotes) for number, table in enumerate(value, 1))


def _stanza(file: Path, place: str, value: object, remotes: Sequence[str]) -> Stanza:
    table = dict(_table(file, place, value))
    remote = table.pop("remote", None)
    if not isinstance(remote, str) or remote not in remotes:
        raise UsageError(f"{file}: {place}: remote: the name of a remote is needed; {_nearest(str(remote), remotes)}")
    try:
        return Stanza(remote, parse_rules(table))
    except ValueError as error:
        raise UsageError(f"{file}: {place}: {error}") from None


def _read(file: Path) -> Config:
    try:
        with open(file, encoding="utf-8") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            text = opened.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read the configuration {file}: {reason}") from None
    return parse_config(file, text, mode)


def _remote(file: Path, name: str, value: object) -> Remote:
    place = f"remote.{name}"
    table = _table(file, place, value)
    try:
        remote_name(name)
    except UsageError as error:
        raise UsageError(f"{file}: remote.{error}") from None
    kind = table.get("type")
    if kind is None:
        raise UsageError(f'{file}: {place}: a type is missing, such as type = "local"')
    if not isinstance(kind, str) or kind not in STORE_TYPES:
        raise UsageError(f"{file}: {place}.type: there is no type {kind!r}; {_nearest(str(kind), STORE_TYPES)}")
    settings = {key: value for key, value in table.items() if key != "type"}
    known = STORE_TYPES[kind].keys
    _check_keys(file, f"{place}.", settings, ["type", *known])
    _check_once(file, place, settings, STORE_TYPES[kind])
    return Remote(
        name,
        kind,
        {
            known[key].canonical(key): _setting(file, f"{place}.{key}", known[key], key, settings[key])
            for key in settings
        },
    )


def _setting(file: Path, place: str, setting: Setting, key: str, value: object) -> Value:
    try:
        return setting.check(key, value)
    except ValueError as error:
        raise UsageError(f"{file}: {place}: {error}") from None


def _check_once(file: Path, place: str, settings: Iterable[str], kind: StoreType) -> None:
    """What is said twice would be used from one place, and changed in the other."""
    for setting in kind.settings:
        said = [key for key in setting.keys if key in settings]
        if len(said) > 1:
            what = "secret" if setting.kind is Kind.SECRET else "setting"
            raise UsageError(f"{file}: {place}: {' and '.join(said)} are two places for one {what}; keep one of them")


def _from_environment(setting: Setting, variable: str, text: str) -> Value:
    try:
        return setting.check(setting.name, setting.parse(setting.name, text))
    except ValueError as error:
        raise UsageError(f"${variable}: {error}") from None


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
    """Refuse a file that tells others a secret, or lets them say what we run.

    Whatever the types are, so that a typing error does not matter.
    """
    protect = f"protect it with: chmod 600 {quote(str(file))}"
    for name, table in remotes.items():
        for key in table if isinstance(table, dict) else ():
            if key in _SECRETS and mode & 0o077:
                raise UsageError(f"{file}: others may read remote.{name}.{key}; {protect}")
            if key.endswith("_command") and mode & 0o022:
                raise UsageError(f"{file}: others may change remote.{name}.{key}; {protect}")


def _nearest(word: str, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.0)
    return f"did you mean {near[0]}?"
