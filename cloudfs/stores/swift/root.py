"""The attributes of a mounted root that is a whole container: they are notes on the container. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from cloudfs.stores.base import Entry, Location
from cloudfs.stores.swift.attributes import from_headers, object_headers
from cloudfs.stores.swift.rows import directory_entry
from cloudfs.types import Attributes

_CONTAINER, _OBJECT = "x-container-meta-", "x-object-meta-"


def root_entry(facts: Mapping[str, str]) -> Entry:
    """From the headers of the container."""
    notes = {
        name.replace(_CONTAINER, _OBJECT, 1): value for name, value in facts.items() if name.startswith(_CONTAINER)
    }
    return directory_entry(b"", from_headers(notes))


def root_headers(attributes: Attributes) -> dict[str, str]:
    """To be posted to the container."""
    headers = object_headers(Location(b""), attributes)
    return {
        name.lower().replace(_OBJECT, _CONTAINER, 1): value for name, value in headers.items() if name != "Content-Type"
    }
