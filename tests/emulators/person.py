"""Somebody who signs in, for tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from cloudfs.errors import UsageError


class Somebody:
    """A `cloudfs.daemon.person.Person`: ``answers`` by question, each a text or what makes one of what was told."""

    def __init__(self, answers: Mapping[str, str | Callable[[str], str]]) -> None:
        self.told = ""
        self.asked: list[tuple[str, bool]] = []
        self._answers = answers

    def tell(self, text: str) -> None:
        self.told += f"{text}\n"

    def ask(self, question: str, *, secret: bool = False) -> str:
        self.asked.append((question, secret))
        if question not in self._answers:
            raise UsageError("there was no answer, so nobody is signed in")
        answer = self._answers[question]
        return answer if isinstance(answer, str) else answer(self.page)

    @property
    def page(self) -> str:
        """The address that was shown last."""
        return str(re.findall(r"https?://\S+", self.told)[-1])
