"""Whose account it is, and which drives it can use: one's own, and the libraries of SharePoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cloudfs.errors import StoreError
from cloudfs.stores.onedrive.graph import Graph, Json, segment

_SITES = 50
"""Sites whose libraries are asked for."""


@dataclass(frozen=True, slots=True)
class DriveChoice:
    """A drive. ``kind`` is ``personal``, ``business`` or ``documentLibrary``; ``place`` says where it is."""

    id: str
    kind: str
    name: str
    place: str
    used: int
    total: int | None


async def account_name(graph: Graph) -> str:
    """Who is signed in, as well as a token for files can tell."""
    owner = (await graph.get("/me/drive", "the drive")).get("owner") or {}
    person = owner.get("user") or owner.get("group") or {}
    return str(person.get("email") or person.get("displayName") or "")


async def drives(graph: Graph) -> Sequence[DriveChoice]:
    """One's own drives, then the libraries of the sites that can be found. Raises as any request."""
    own = (await graph.get("/me/drives", "the drives")).get("value", [])
    found = {str(row["id"]): _choice(row, "your own") for row in own if "id" in row}
    for site in await _sites(graph):
        rows = (await graph.get(f"/sites/{segment(str(site['id']))}/drives", "a site's drives")).get("value", [])
        for row in rows:
            found.setdefault(str(row["id"]), _choice(row, str(site.get("displayName") or site.get("webUrl") or "")))
    return list(found.values())


async def _sites(graph: Graph) -> list[Json]:
    """Personal accounts have none, and not everybody may search for them."""
    try:
        found = (await graph.get("/sites?search=*", "the sites")).get("value", [])
    except StoreError:
        return []
    return [site for site in found if "id" in site][:_SITES]


def _choice(row: Json, place: str) -> DriveChoice:
    quota = row.get("quota") or {}
    total = int(quota.get("total") or 0)
    return DriveChoice(
        id=str(row["id"]),
        kind=str(row.get("driveType", "")),
        name=str(row.get("name", "")),
        place=place,
        used=int(quota.get("used") or 0),
        total=total or None,
    )
