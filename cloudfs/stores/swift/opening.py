"""Opens a Swift store: finds out what the provider can do, and makes the container."""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import trio

from cloudfs.auth.storage import StorageAuth
from cloudfs.auth.swift_settings import storage_auth
from cloudfs.config import Remote
from cloudfs.errors import StoreError, Unavailable, UsageError
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.pacer import Pacer
from cloudfs.http.tls import tls_context
from cloudfs.stores.base import Usage
from cloudfs.stores.swift.account import Offer, SwiftAccount, refused
from cloudfs.stores.swift.container import SwiftContainer
from cloudfs.stores.swift.store import SwiftStore

_log = logging.getLogger(__name__)
_PATIENCE = 20.0
"""Seconds to ask what a provider offers. Without an answer the mount starts all the same, with what is sure."""
_LEAST_SEGMENT = 1 << 20
_LONGEST_CONTAINER = 256 - len("_segments")


async def open_swift(remote: Remote, path: str) -> SwiftStore:
    """The store of ``NAME:path``. Raises `UsageError` for settings that make no sense."""
    calls = await _calls(remote)
    segment_size = remote.number("segment_size")
    if segment_size < _LEAST_SEGMENT or segment_size % (64 << 10):
        raise UsageError(f"remote {remote.name}: segment_size must be a multiple of 64 KiB, and 1 MiB at least")
    return await open_container(remote.name, storage_auth(remote, calls), calls, path, segment_size)


async def try_swift(remote: Remote) -> Usage:
    """Sign in, and ask what is used. Raises `CloudfsError` if that fails."""
    calls = await _calls(remote)
    account = SwiftAccount(storage_auth(remote, calls), calls)
    try:
        answer = await account.send("HEAD", "")
        if not answer.succeeded:
            raise refused("account", answer)
        return Usage(int(answer.headers.get("x-account-bytes-used") or 0))
    finally:
        await account.aclose()


async def _calls(remote: Remote) -> Calls:
    client = HttpClient(await trio.to_thread.run_sync(_trust, remote))
    pacer = Pacer(max(1, remote.number("connections")), time.time, random.random)
    return Calls(client, pacer, time.time, random.random)


def _trust(remote: Remote) -> ssl.SSLContext:
    ca_file = remote.text("ca_file")
    return tls_context(Path(ca_file).expanduser() if ca_file else None, verify=remote.switch("tls_verify"))


async def open_container(
    name: str,
    auth: StorageAuth,
    calls: Calls,
    path: str,
    segment_size: int,
    space: Callable[[], Awaitable[Usage]] | None = None,
    refusals: Collection[int] = (401,),
    bearable: tuple[type[StoreError], ...] = (Unavailable,),
) -> SwiftStore:
    """The store of ``container/prefix`` in an account that somebody else knows how to get into.

    ``name`` is that of the remote. ``calls`` belongs to the store afterwards, and is closed with it. ``space`` is as
    the store's, ``refusals`` as the account's. After a ``bearable`` error the store is opened all the same, with what
    is sure, because it will pass.
    """
    container, prefix = split_path(name, path)
    account = SwiftAccount(auth, calls, refusals)
    offer, segments = Offer(), True
    try:
        with trio.fail_after(_PATIENCE):
            offer = await account.offer()
            await SwiftContainer(account, container).ensure()
            segments = offer.static_large_objects or await _has_dynamic(
                SwiftContainer(account, f"{container}_segments")
            )
    except (StoreError, trio.TooSlowError) as error:
        if isinstance(error, StoreError) and not isinstance(error, bearable):
            await account.aclose()
            raise
        _log.warning("%s: the provider does not let us in yet (%s)", name, error or "it takes too long")
    return SwiftStore(account, offer, container, prefix, segment_size=segment_size, segments=segments, space=space)


def split_path(name: str, path: str) -> tuple[str, str]:
    """Container and prefix. Raises `UsageError`."""
    container, _, prefix = path.strip("/").partition("/")
    if not container:
        raise UsageError(f"{name}:{path}: a container is needed, such as {name}:backup or {name}:backup/laptop")
    if len(container.encode()) > _LONGEST_CONTAINER:
        raise UsageError(f"{name}:{path}: the name of a container may have {_LONGEST_CONTAINER} bytes")
    return container, prefix.strip("/")


async def _has_dynamic(segments: SwiftContainer) -> bool:
    """Whether the provider knows dynamic large objects, which ``/info`` does not tell: try one."""
    part, manifest = "cloudfs-probe/part", "cloudfs-probe-manifest"
    await segments.put(part, b"x", {"Content-Type": "text/plain"})
    await segments.put(manifest, b"", {"Content-Type": "text/plain", "X-Object-Manifest": f"{segments.name}/{part}"})
    head = await segments.head(manifest)
    for name in (manifest, part):
        await segments.delete(name)
    return head is not None and head.size == 1
