"""A OneDrive store on a drive of the emulator that nobody else uses."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from cloudfs.auth.bearer import Bearer
from cloudfs.auth.tokens import Token
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.pacer import Pacer
from cloudfs.stores.onedrive.graph import Graph
from cloudfs.stores.onedrive.opening import onedrive_store
from cloudfs.stores.onedrive.session import GRAIN
from cloudfs.stores.onedrive.store import OneDriveStore
from tests.auth.homes import MemoryHome, never
from tests.emulators.running import Running

PAGE = 7


@dataclass
class Account:
    """Of one person at the emulator, with one drive. ``facts`` is what ``/control/accounts`` said."""

    emulator: Running
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, emulator: Running, kind: str = "personal", **settings: Any) -> Account:
        library = kind == "documentLibrary"
        found = emulator.control("accounts", kind="business" if library else kind, library=library, **settings)
        return cls(emulator, kind, found)

    @property
    def drive(self) -> str:
        return str(self.facts["libraries"][0] if self.kind == "documentLibrary" else self.facts["drive"])

    @property
    def stanza(self) -> str:
        """What goes into the configuration; names the drive if it is not the account's own."""
        library = f'drive = "{self.drive}"\n' if self.kind == "documentLibrary" else ""
        return str(self.facts["stanza"]) + library

    def store(
        self, path: str = "", *, fragment: int = 8 * GRAIN, patience: float = 30.0, page: int = PAGE
    ) -> OneDriveStore:
        """Another client of the account. Without jitter, and with parts of 2.5 MiB."""
        token = Token(self.facts["access_token"], self.facts["refresh_token"], time.time() + 3600)
        bearer = Bearer("test", MemoryHome(token), never)
        calls = Calls(HttpClient(), Pacer(16, time.time, lambda: 0.0), time.time, lambda: 0.0, patience)
        graph = Graph(f"{self.emulator.url}/v1.0", calls, bearer)

        async def drive() -> str:
            return self.drive

        return onedrive_store(graph, lambda: 0.0, drive, path, fragment=fragment, page=page)

    def tree(self) -> dict[str, dict[str, Any]]:
        """What the emulator has, by path."""
        rows = self.emulator.control("tree", "GET", drive=self.drive)
        return {row["path"]: row for row in rows}
