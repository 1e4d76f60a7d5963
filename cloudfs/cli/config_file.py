"""Changes to the configuration file that leave everything else in it as it was, comments too."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable

from cloudfs.config import Config, Remote, config_file, parse_config
from cloudfs.errors import UsageError
from cloudfs.settings.secret import Secret

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The file as it was read; ``text`` is empty if there is none yet."""

    path: Path
    text: str

    @classmethod
    def read(cls) -> ConfigFile:
        """The one that counts; a symbolic link leads to the file itself. Raises `UsageError`."""
        path = Path(os.path.realpath(config_file()))
        try:
            return cls(path, path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(path, "")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"cannot read the configuration {path}: {reason}") from None

    def config(self) -> Config:
        """What it says. Raises `UsageError`; not for its permissions, which `write` mends."""
        return parse_config(self.path, self.text)

    def with_remote(self, name: str, kind: str, settings: Mapping[str, str | int | bool]) -> tuple[ConfigFile, Remote]:
        """With one more ``[remote.NAME]`` at the end, and what that says. Raises `UsageError`, also if it exists."""
        if name in self.config().remotes:
            raise UsageError(f"there is a remote {name} in {self.path} already; cloudfs remote remove {name}")
        table = tomlkit.dumps({"remote": {name: {"type": kind, **settings}}})
        before = f"{self.text.rstrip()}\n\n" if self.text.strip() else ""
        changed = ConfigFile(self.path, before + table)
        return changed, changed.config().remotes[name]

    def without_remote(self, name: str) -> ConfigFile:
        """Raises `UsageError` if it has no such remote."""
        if name not in self.config().remotes:
            raise UsageError(f"there is no remote {name} in {self.path}")
        try:
            document = tomlkit.parse(self.text)
            remotes = document["remote"]
            assert isinstance(remotes, AbstractTable | tomlkit.container.OutOfOrderTableProxy)
            del remotes[name]
        except TOMLKitError as error:
            raise UsageError(f"cannot change {self.path}: {error}; remove [remote.{name}] there yourself") from None
        return ConfigFile(self.path, tomlkit.dumps(document))

    def write(self) -> None:
        """Replace the file, whole or not at all.

        A new file, and one that holds secrets, is for its owner's eyes only; another keeps its permissions.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        draft = Path(name)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(self.text)
                self._give_away(file.fileno())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def _give_away(self, handle: int) -> None:
        """Owner and permissions as those of the file that is replaced."""
        try:
            before = self.path.stat()
        except FileNotFoundError:
            return
        os.fchown(handle, before.st_uid, before.st_gid)
        settings = [setting for remote in self.config().remotes.values() for setting in remote.settings.items()]
        # A command may have a secret in it, too.
        secrets = any(isinstance(value, Secret) or key.endswith("_command") for key, value in settings)
        os.fchmod(handle, _PRIVATE if secrets else stat.S_IMODE(before.st_mode))
