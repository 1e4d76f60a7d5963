"""Middlewares of our own for the front ends of `tests.servers.swift`; what Swift brings is in its package."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def without_dynamic_large_objects(_: dict[str, str], **__: str) -> Callable[[Application], Application]:
    """Take the manifests of dynamic large objects for empty objects, as some gateways do. (Swift itself puts ``dlo``
    back into every pipeline that lacks it.)"""

    def wrap(application: Application) -> Application:
        def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            environ.pop("HTTP_X_OBJECT_MANIFEST", None)
            return application(environ, start_response)

        return call

    return wrap
