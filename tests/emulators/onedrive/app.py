"""The emulator in one piece: which address belongs to whom."""

from __future__ import annotations

from pathlib import Path

from tests.emulators.onedrive.accounts import Accounts
from tests.emulators.onedrive.control import Control
from tests.emulators.onedrive.database import Database
from tests.emulators.onedrive.downloads import Downloads
from tests.emulators.onedrive.graph import Graph
from tests.emulators.onedrive.items import Items
from tests.emulators.onedrive.refusals import Refusal
from tests.emulators.onedrive.rows import Rows
from tests.emulators.onedrive.signin import SignIn
from tests.emulators.onedrive.uploads import Uploads
from tests.emulators.serving import Answer, Handler, Request
from tests.emulators.trouble import Trouble


class OneDrive:
    """``url`` is where it will be found; ``handler`` is what answers there."""

    def __init__(self, state: Path, url: str) -> None:
        self.database = Database(state)
        self.trouble = Trouble()
        self.accounts = Accounts(self.database)
        self.items = Items(self.database)
        downloads = Downloads(self.database, self.trouble, url)
        rows = Rows(self.items, downloads.sign)
        uploads = Uploads(self.database, self.items, rows, self.trouble, url)
        sign_in = SignIn(self.database, self.accounts, url)
        self._graph = Graph(self.database, self.accounts, self.items, rows, uploads, self.trouble, url)
        self._control = Control(
            self.database, self.accounts, self.items, rows, sign_in, uploads, downloads, self.trouble, url
        )
        self._places: dict[str, Handler] = {
            "v1.0": self._graph.handle,
            "upload": uploads.handle,
            "download": downloads.handle,
            "monitor": self._graph.monitor,
        }
        self._sign_in = sign_in
        self._troubled = self.trouble.around(self._answer, kind_of)

    async def handler(self, request: Request) -> Answer:
        if request.path.startswith("/control/"):
            return await self._control.handle(request)
        return await self._troubled(request)

    async def _answer(self, request: Request) -> Answer:
        place = request.path.split("/")[1]
        try:
            return await self._places.get(place, self._sign_in.handle)(request)
        except Refusal as refusal:
            return refusal.answer()


def kind_of(request: Request) -> str:
    """What a request counts as: ``GET children``, ``PUT upload``, ``POST $batch``, ``POST token`` ..."""
    place, _, rest = request.path.removeprefix("/").partition("/")
    if place in ("upload", "download", "monitor"):
        return f"{request.method} {place}"
    if place != "v1.0":
        return f"{request.method} {rest.rpartition('/')[2]}"
    last = rest.rpartition("/")[2].partition("(")[0]
    known = ("children", "content", "createUploadSession", "delta", "copy", "versions", "$batch", "restoreVersion")
    return f"{request.method} {last if last in known else 'item'}"
