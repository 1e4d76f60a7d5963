"""Which store a remote's ``type`` stands for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import trio

from cloudfs.config import Remote, Source, local_directory
from cloudfs.errors import UsageError
from cloudfs.stores.base import Store
from cloudfs.stores.local.store import LocalStore
from cloudfs.stores.onedrive.opening import open_onedrive
from cloudfs.stores.swift.hubic import open_hubic
from cloudfs.stores.swift.opening import open_swift
from cloudfs.stores.ubuntuone.opening import open_ubuntuone

_OPENERS: Mapping[str, Callable[[Remote, str], Awaitable[Store]]] = {
    "swift": open_swift,
    "hubic": open_hubic,
    "onedrive": open_onedrive,
    "ubuntuone": open_ubuntuone,
}


async def open_store(source: Source) -> Store:
    """The store of a source, ready to be used. Raises `UsageError` for a type that is not known."""
    if source.remote.type == "local":
        return await trio.to_thread.run_sync(LocalStore, local_directory(source))
    if source.remote.type not in _OPENERS:
        raise UsageError(f"remote {source.remote.name}: there is no type {source.remote.type!r}")
    return await _OPENERS[source.remote.type](source.remote, source.path)
