"""Who signs in: somebody in front of some screen, not necessarily this machine's."""

from __future__ import annotations

from typing import Protocol

import trio


class Person(Protocol):
    def tell(self, text: str) -> None: ...

    def ask(self, question: str, *, secret: bool = False) -> str:
        """The answer, which is not shown if it is ``secret``. May block; raises `UsageError` if nobody is there."""
        ...


async def asked(person: Person, question: str, *, secret: bool = False) -> str:
    """`Person.ask` in a thread, as whoever types takes their time, and an interruption has to get through."""

    def ask() -> str:
        return person.ask(question, secret=secret)

    return await trio.to_thread.run_sync(ask, abandon_on_cancel=True)
