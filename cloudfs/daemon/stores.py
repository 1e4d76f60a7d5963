"""Which store a remote's ``type`` stands for."""

from __future__ import annotations

import trio

from cloudfs.config import Source, local_directory
from cloudfs.errors import UsageError
from cloudfs.stores.base import Store
from cloudfs.stores.local import LocalStore
from cloudfs.stores.onedrive_opening import open_onedrive
from cloudfs.stores.swift_open import open_swift


async def open_store(source: Source) -> Store:
    """The store of a source, ready to be used. Raises `UsageError` for a type that is not known."""
    if source.remote.type == "local":
        return await trio.to_thread.run_sync(LocalStore, local_directory(source))
    if source.remote.type == "swift":
        return await open_swift(source.remote, source.path)
    if source.remote.type == "onedrive":
        return await open_onedrive(source.remote, source.path)
    raise UsageError(f"remote {source.remote.name}: there is no type {source.remote.type!r}")
