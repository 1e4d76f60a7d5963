"""Which drive, and which folder of it, a mount means."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

import trio

from cloudfs import __version__
from cloudfs.auth.bearer import Bearer
from cloudfs.auth.homes import pause_path, token_home
from cloudfs.auth.microsoft import application, graph_url
from cloudfs.auth.oauth2 import OAuth2
from cloudfs.config import Remote
from cloudfs.errors import BrokenAnswer, NotFound, UsageError, VersionMismatch
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.pacer import Pacer
from cloudfs.http.shared_brake import SharedBrake
from cloudfs.http.tls import tls_context
from cloudfs.stores.onedrive.batch import Batches
from cloudfs.stores.onedrive.drive import Drive, DriveFacts
from cloudfs.stores.onedrive.graph import Ask, Conflict, Graph, Json, segment, settled
from cloudfs.stores.onedrive.names import encode
from cloudfs.stores.onedrive.session import FRAGMENT, GRAIN, LARGEST
from cloudfs.stores.onedrive.store import OneDriveStore
from cloudfs.stores.onedrive.upload import BEHAVIOUR

AGENT = f"NONISV|cloudfs|cloudfs/{__version__}"
"""Microsoft asks programs to introduce themselves like this, and throttles the others first."""
_DRIVE = "drive"
"""The fact of a sign-in that says which drive was chosen with it."""


async def open_onedrive(remote: Remote, path: str) -> OneDriveStore:
    """The store of ``NAME:path``. Asks nobody yet, so it works off line. Raises `UsageError`."""
    fragment = remote.number("fragment")
    if not GRAIN <= fragment <= LARGEST or fragment % GRAIN:
        raise UsageError(f"remote {remote.name}: fragment must be a multiple of 320 KiB, and at most 60 MiB")
    graph = await open_graph(remote)

    async def drive() -> str:
        return remote.text("drive") or (await graph.bearer.facts()).get(_DRIVE, "")

    return onedrive_store(graph, random.random, drive, path, fragment=fragment)


async def open_graph(remote: Remote) -> Graph:
    """Graph for the account of a remote. Raises `UsageError`."""
    pacer = Pacer(max(1, remote.number("connections")), time.time, random.random, SharedBrake(pause_path(remote)))
    tls = await trio.to_thread.run_sync(tls_context)
    calls = Calls(HttpClient(tls, agent=AGENT), pacer, time.time, random.random)
    known = await trio.to_thread.run_sync(application, remote)
    # Renewing has connections of its own, so that it never waits for a place behind those who wait for it.
    renewing = HttpClient(tls, agent=AGENT)
    bearer = Bearer(remote.name, token_home(remote), OAuth2(known, renewing).renew)
    return Graph(graph_url(remote), calls, bearer, renewing)


def onedrive_store(
    graph: Graph,
    jitter: Callable[[], float],
    drive: Callable[[], Awaitable[str]],
    path: str,
    *,
    fragment: int = FRAGMENT,
    page: int = 1000,
) -> OneDriveStore:
    """The folder ``path`` of a drive; ``drive`` tells its id, empty for the account's own. Asks nothing yet."""

    async def find_out() -> DriveFacts:
        return await _facts(graph, await drive(), path)

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
