"""An Ubuntu One store in a cloud folder of the emulator that nobody else uses."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from cloudfs.auth.oauth1 import Credentials, Signer
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.message import split_url
from cloudfs.http.pacer import Pacer
from cloudfs.stores.ubuntuone.api import UbuntuOneApi
from cloudfs.stores.ubuntuone.store import UbuntuOneStore
from tests.emulators.running import Running


@dataclass
class Folder:
    """``path`` is that of the volume, such as ``~/Photos``."""

    emulator: Running
    path: str
    credentials: Credentials

    @classmethod
    def make(cls, emulator: Running, *, ranges: bool = False) -> Folder:
        """With a directory in it, and habits of the service that hold for all folders from now on."""
        emulator.control("habits", ranges=ranges)
        granted = emulator.control("grant")
        made = cls(
            emulator, f"~/{uuid.uuid4().hex}", Credentials(*_halves(granted["consumer"] + ":" + granted["oauth"]))
        )
        emulator.control("volume", path=made.path)
        emulator.control("directory", path=f"/{made.path}/some/where")
        return made

    def store(self, root: str = "some/where", *, patience: float = 30.0, method: str = "HMAC-SHA1") -> UbuntuOneStore:
        """Another client of the account. Without jitter."""
        signer = Signer(self.load, method, [split_url(self.emulator.url)[0]], time.time)
        pacer = Pacer(8, time.time, lambda: 0.0)
        calls = Calls(HttpClient(sign=signer.sign), pacer, time.time, lambda: 0.0, patience)
        return UbuntuOneStore(UbuntuOneApi(self.emulator.url, self.emulator.url, self.path, calls, signer), root)

    async def load(self) -> Credentials:
        return self.credentials


def _halves(words: str) -> tuple[str, str, str, str]:
    consumer, consumer_secret, token, token_secret = words.split(":")
    return consumer, consumer_secret, token, token_secret
