"""Which drive, and which folder of it, a mount means."""

from __future__ import annotations

from collections.abc import Callable

from cloudfs.errors import BrokenAnswer, NotFound, VersionMismatch
from cloudfs.stores.onedrive import OneDriveStore
from cloudfs.stores.onedrive_batch import Batches
from cloudfs.stores.onedrive_drive import Drive, DriveFacts
from cloudfs.stores.onedrive_graph import Ask, Conflict, Graph, Json, segment, settled
from cloudfs.stores.onedrive_names import encode
from cloudfs.stores.onedrive_session import FRAGMENT
from cloudfs.stores.onedrive_upload import BEHAVIOUR


def onedrive_store(
    graph: Graph, jitter: Callable[[], float], drive: str, path: str, *, fragment: int = FRAGMENT, page: int = 1000
) -> OneDriveStore:
    """The folder ``path`` of a drive; ``drive`` is its id, empty for the account's own. Asks nothing yet."""

    async def find_out() -> DriveFacts:
        return await _facts(graph, drive, path)

    return OneDriveStore(Drive(graph, Batches(graph, jitter), find_out), fragment=fragment, page=page)


async def _facts(graph: Graph, drive: str, path: str) -> DriveFacts:
    found = await graph.get(f"/drives/{segment(drive)}" if drive else "/me/drive", "the drive")
    try:
        identity, kind = str(found["id"]), str(found["driveType"])
    except KeyError:
        raise BrokenAnswer("OneDrive described the drive in a way that makes no sense") from None
    names = [encode(name.encode("utf-8", "surrogateescape")) for name in path.split("/") if name]
    base = f"/drives/{segment(identity)}"
    folder = await graph.get(f"{base}/root", "the root of the drive")
    for name in names:
        folder = await _enter(graph, base, str(folder["id"]), name)
    return DriveFacts(identity, kind, "/".join(names), str(folder["id"]))


async def _enter(graph: Graph, base: str, parent: str, name: str) -> Json:
    """The folder of that name, made if there is none: who mounts it wants it to be there."""
    address = f"{base}/items/{segment(parent)}"
    try:
        found = await graph.get(f"{address}:/{segment(name)}", name)
    except NotFound:
        ask = Ask(
            "POST", f"{address}/children", {"name": name, "folder": {}, BEHAVIOUR: "fail"}, what=name, naming=True
        )
        try:
            return settled(ask, await graph.send(ask))
        except Conflict:  # somebody else made it just now
            found = await graph.get(f"{address}:/{segment(name)}", name)
    if "folder" not in found:
        raise VersionMismatch(f"{name} is not a folder, so it cannot be mounted")
    return found
