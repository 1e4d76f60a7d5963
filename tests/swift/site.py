"""A container of the real Swift that nobody else uses, and mounts of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.mount.driver import Mount
from tests.servers.swift import Swift
from tests.stores.swift import Box, Raw


@dataclass(frozen=True)
class Site:
    """``make`` makes mounts, ``home`` is for configurations. Mounts are of ``container/prefix``."""

    box: Box
    make: Callable[..., Mount]
    home: Path
    prefix: str = "some/where"

    @property
    def source(self) -> str:
        return f"swift:{self.box.container}/{self.prefix}".rstrip("/")

    def configure(self, *settings: str, swift: Swift | None = None) -> Path:
        """The configuration file, with more lines in it, of an account that is reached another way."""
        file = self.home / "config.toml"
        file.touch(0o600)
        file.write_text((swift or self.box.swift).stanza() + "\n".join(settings) + "\n")
        return file

    def mount(
        self, *options: str, settings: tuple[str, ...] = (), swift: Swift | None = None, started: bool = True
    ) -> Mount:
        environment = {"CLOUDFS_CONFIG": str(self.configure(*settings, swift=swift))}
        return self.make(*options, started=started, source=self.source, environment=environment)

    def raw(self) -> Raw:
        return self.box.raw()

    def name(self, path: str) -> str:
        """The object for a path in the mount."""
        return f"{self.prefix}/{path}".lstrip("/")

    def segments(self) -> list[str]:
        """The names of all segments there are."""
        with self.raw() as raw:
            return [name for name in raw.names(f"{self.box.container}_segments") if name.startswith("cloudfs/")]
