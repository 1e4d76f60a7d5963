"""one.ubuntu.com: the file storage API, version 1; and files.one.ubuntu.com: the bytes."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from tests.emulators.serving import Answer, Request
from tests.emulators.ubuntuone.tree import Node, Refused, Tree, Volume

_ROOT = "/api/file_storage/v1"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class Habits:
    """What nobody knows for sure of the real service, and can be switched."""

    ranges: bool = False
    gzip: bool = False
    created: int = 201
    """Status of an upload that made a file."""
    deleted: int = 200
    full: int = 507
    """Status for too little space: 507 or 402."""


class Files:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.habits = Habits()

    async def answer(self, request: Request) -> Answer:
        path = unquote(request.path)
        try:
            if path.startswith("/content/"):
                return await self._content(request, path.removeprefix("/content"))
            if path == "/api/quota/":
                return Answer.json(200, {"total": self.tree.quota, "used": self.tree.used})
            return await self._api(request, path.removeprefix(_ROOT) if path.startswith(_ROOT) else "?")
        except Refused as refused:
            status = self.habits.full if refused.status == 507 else refused.status
            return Answer.json(status, {"error": str(refused)}, {"X-Oops-Id": "OOPS-0001"})

    # --- the API -----------------------------------------------------------------------------------------------------

    async def _api(self, request: Request, path: str) -> Answer:
        if path in ("", "/") and request.method == "GET":
            return Answer.json(200, self._user())
        if path == "/volumes" and request.method == "GET":
            return Answer.json(200, [_volume(volume) for volume in self.tree.volumes.values()])
        if path.startswith("/volumes/~/"):
            return self._volume(request, path.removeprefix("/volumes/"))
        if not path.startswith("/~/"):
            return Answer.json(404, {"error": "no such URL"})
        match request.method:
            case "GET":
                return self._get(path, request.query)
            case "PUT":
                return self._put(path, await request.read())
            case "DELETE":
                self.tree.delete(*self.tree.find(path))
                return Answer(self.habits.deleted)
        return Answer.json(405, {"error": "no such method"})

    def _user(self) -> object:
        volumes = [f"/{path}" for path in self.tree.volumes]
        return {
            "resource_path": "",
            "user_id": 1,
            "visible_name": "Ann",
            "used_bytes": self.tree.used,
            "max_bytes": self.tree.quota,
            "root_node_path": volumes[0],
            "user_node_paths": volumes[1:],
        }

    def _volume(self, request: Request, path: str) -> Answer:
        match request.method:
            case "PUT":
                return Answer.json(200, _volume(self.tree.make_volume(path)))
            case "DELETE":
                self.tree.delete_volume(path)
                return Answer(self.habits.deleted)
        volume = self.tree.volumes.get(path)
        if volume is None:
            raise Refused(404, "DoesNotExist")
        found = _volume(volume)
        if request.query.get("delta") == "true":
            start = int(request.query.get("from_generation", "0"))
            nodes = [_node(volume, node) for node in volume.since(start)]
            found["delta"] = {"from_generation": start, "nodes": nodes}
        return Answer.json(200, found)

    def _get(self, path: str, query: Mapping[str, str]) -> Answer:
        volume, node = self.tree.find(path)
        found = _node(volume, node)
        if query.get("include_children") == "true":
            if node.kind != "directory":
                raise Refused(400, "FileNodeHasNoChildren")
            found["children"] = [_node(volume, child) for child in node.children.values()]
        return Answer.json(200, found)

    def _put(self, path: str, body: bytes) -> Answer:
        try:
            wish = json.loads(body or b"{}")
        except ValueError:
            raise Refused(400, "the body is no JSON") from None
        digest, magic = wish.get("hash"), wish.get("magic_hash")
        try:
            volume, node = self.tree.find(path)
        except Refused:
            if "kind" not in wish:
                raise
            if digest and digest not in self.tree.blobs:
                raise Refused(400, "The content could not be reused.") from None
            volume, node = self.tree.ensure(path, wish["kind"])
            if digest and node.kind == "file":
                self._reuse_or_forget(volume, node, digest, magic)
            return Answer.json(200, _node(volume, node))
        if node.kind == "file" and digest and magic:
            self.tree.reuse(volume, node, digest, magic)
        if "path" in wish and wish["path"] != node.path:
            self.tree.move(volume, node, wish["path"])
        if "is_public" in wish:
            if node.kind == "directory":
                raise Refused(400, "CannotPublishDirectory")
            node.is_public = bool(wish["is_public"])
        return Answer.json(200, _node(volume, node))

    def _reuse_or_forget(self, volume: Volume, node: Node, digest: str, magic: str | None) -> None:
        try:
            self.tree.reuse(volume, node, digest, magic)
        except Refused:
            self.tree.delete(volume, node)
            raise

    # --- the bytes ---------------------------------------------------------------------------------------------------

    async def _content(self, request: Request, path: str) -> Answer:
        if request.method == "PUT":
            if "content-length" not in request.headers:
                raise Refused(411, "Content-Length is needed")
            content = await request.read()
            existed = self._exists(path)
            volume, node = self.tree.ensure(path, "file")
            try:
                self.tree.give(volume, node, content)
            except Refused:
                if not existed:
                    self.tree.delete(volume, node)
                raise
            return Answer.json(200 if existed else self.habits.created, _node(volume, node))
        _, node = self.tree.find(path)
        if request.method != "GET" or node.kind != "file" or node.hash is None:
            raise Refused(404, "no content")
        return self._bytes(request, self.tree.blobs[node.hash])

    def _exists(self, path: str) -> bool:
        try:
            self.tree.find(path)
        except Refused:
            return False
        return True

    def _bytes(self, request: Request, content: bytes) -> Answer:
        headers = {"Content-Type": "application/octet-stream"}
        wanted = _RANGE.fullmatch(request.headers.get("range", ""))
        if self.habits.ranges and wanted:
            start, stop = int(wanted[1]), min(int(wanted[2]) + 1, len(content))
            if start >= len(content):
                return Answer(416)
            return Answer(
                206, content[start:stop], headers | {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
            )
        if self.habits.gzip and "gzip" in request.headers.get("accept-encoding", ""):
            return Answer(200, gzip.compress(content), headers | {"Content-Encoding": "gzip"})
        return Answer(200, content, headers)


def _volume(volume: Volume) -> dict[str, Any]:
    return {
        "resource_path": f"/volumes/{volume.path}",
        "type": volume.kind,
        "path": volume.path,
        "generation": volume.generation,
        "node_path": f"/{volume.path}",
        "content_path": f"/content/{volume.path}",
        "when_created": _date(volume.created),
    }


def _node(volume: Volume, node: Node) -> dict[str, Any]:
    """Paths are as they are, with spaces and all."""
    inside = "" if node.parent is None else node.path
    found: dict[str, Any] = {
        "resource_path": f"/{volume.path}{inside}",
        "key": node.key,
        "kind": node.kind,
        "path": node.path,
        "parent_path": f"/{volume.path}{node.parent.path.rstrip('/')}" if node.parent else None,
        "volume_path": f"/volumes/{volume.path}",
        "when_created": _date(node.created),
        "when_changed": _date(node.changed),
        "generation": node.generation,
        "generation_created": node.generation_created,
        "is_live": node.is_live,
        "content_path": f"/content/{volume.path}{inside}",
    }
    if node.kind == "directory":
        return found | {"has_children": bool(node.children)}
    url = f"http://ubuntuone.com/{node.key}" if node.is_public else None
    return found | {"hash": node.hash, "size": node.size, "is_public": node.is_public, "public_url": url}


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
