"""How Graph says no."""

from __future__ import annotations

from collections.abc import Mapping

from tests.emulators.serving import Answer


class Refusal(Exception):
    """Raised anywhere in the emulator; becomes an answer with Graph's error body."""

    def __init__(
        self, status: int, code: str, message: str = "", inner: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message or code
        self.inner = inner
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.inner:
            error["innerError"] = {"code": self.inner, "date": "2026-01-01T00:00:00", "request-id": "0"}
        return {"error": error}

    def answer(self) -> Answer:
        return Answer.json(self.status, self.body(), self.headers)


def not_found(what: str = "The resource could not be found.") -> Refusal:
    return Refusal(404, "itemNotFound", what)


def invalid(message: str, inner: str = "") -> Refusal:
    return Refusal(400, "invalidRequest", message, inner)


def exists() -> Refusal:
    return Refusal(409, "nameAlreadyExists", "An item with the same name already exists under the parent.")
