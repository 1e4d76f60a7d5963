"""A token in the keyring of the desktop or of ``pass``, for those who have one: the extra ``cloudfs[keyring]``."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import trio

from cloudfs.auth.token_file import TokenFile, private_lock
from cloudfs.auth.tokens import Token, from_json, to_json
from cloudfs.errors import SignInRequired, UsageError

_SERVICE = "cloudfs"
_T = TypeVar("_T")


class TokenKeyring:
    """A `TokenHome`. A keyring tells nobody of changes, so ``marker``, an empty file, is touched with each of them."""

    def __init__(self, name: str, marker: Path, backend: Any = None) -> None:
        """``backend`` is what has ``get_password`` and its like; by default the package ``keyring`` itself."""
        self._name = name
        self._marker = marker
        self._file = TokenFile(marker)
        self._keyring = _keyring() if backend is None else backend

    async def load(self) -> Token | None:
        text = await self._ask(lambda: self._keyring.get_password(_SERVICE, self._name))
        return from_json(text) if text else None

    async def save(self, token: Token) -> None:
        text = to_json(token)
        await self._ask(lambda: self._keyring.set_password(_SERVICE, self._name, text))
        self._touch()

    async def erase(self) -> None:
        if await self._ask(lambda: self._keyring.get_password(_SERVICE, self._name)):
            await self._ask(lambda: self._keyring.delete_password(_SERVICE, self._name))
        self._touch()

    def stamp(self) -> object:
        return self._file.stamp()

    def locked(self) -> AbstractAsyncContextManager[None]:
        return self._file.locked()

    def _touch(self) -> None:
        with private_lock(self._marker) as fd:
            os.utime(fd)

    async def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            return await trio.to_thread.run_sync(question)
        except Exception as error:  # each backend has errors of its own
            raise SignInRequired(f"the keyring does not answer: {error}") from None


def _keyring() -> Any:
    try:
        import keyring
    except ImportError:
        raise UsageError("keyring = true needs the package keyring: pip install 'cloudfs[keyring]'") from None
    return keyring
