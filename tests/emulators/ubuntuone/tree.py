"""Volumes, nodes and blobs, with the service's own ideas about names that are taken and parents that are missing."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

MAGIC = b"Ubuntu One"


class Refused(Exception):
    """``status`` and what is wrong."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(eq=False)
class Node:
    name: str
    kind: str
    parent: Node | None
    created: float
    changed: float
    generation: int
    generation_created: int
    key: str = field(default_factory=lambda: base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
    children: dict[str, Node] = field(default_factory=dict)
    hash: str | None = None
    size: int | None = None
    is_public: bool = False
    is_live: bool = True

    @property
    def path(self) -> str:
        """Relative to the volume; of a dead node, where it was."""
        if self.parent is None:
            return "/"
        return f"{self.parent.path.rstrip('/')}/{self.name}"


class Volume:
    """``path`` is ``~/Ubuntu One`` or that of a cloud folder."""

    def __init__(self, path: str, kind: str, now: float) -> None:
        self.path = path
        self.kind = kind
        self.created = now
        self.generation = 0
        self.root = Node("", "directory", None, now, now, 0, 0)
        self.nodes: list[Node] = []
        """All that ever were, but the root."""

    def since(self, generation: int) -> list[Node]:
        return sorted((node for node in self.nodes if node.generation > generation), key=lambda node: node.generation)


class Tree:
    """One user's files. ``quota`` is in bytes."""

    def __init__(self, quota: int = 5 << 30) -> None:
        self.quota = quota
        self.blobs: dict[str, bytes] = {}
        self.volumes: dict[str, Volume] = {}
        self._add_volume("~/Ubuntu One", "root")

    @property
    def used(self) -> int:
        return sum(node.size or 0 for volume in self.volumes.values() for node in volume.nodes if node.is_live)

    # --- volumes -----------------------------------------------------------------------------------------------------

    def volume_of(self, address: str) -> tuple[Volume, str]:
        """The volume an address (``/~/Vol/a/b``) is in, and the path inside it."""
        path = address.removeprefix("/")
        for volume in self.volumes.values():
            if path == volume.path or path.startswith(f"{volume.path}/"):
                return volume, path.removeprefix(volume.path) or "/"
        raise Refused(404, "DoesNotExist: no such volume")

    def make_volume(self, path: str) -> Volume:
        if path in self.volumes:
            return self.volumes[path]
        if not path.startswith("~/") or path.endswith("/") or not path.removeprefix("~/"):
            raise Refused(400, "invalid volume path")
        if any(path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in self.volumes):
            raise Refused(400, "UDFs can not be nested.")
        return self._add_volume(path, "udf")

    def delete_volume(self, path: str) -> None:
        volume = self.volumes.get(path)
        if volume is None:
            raise Refused(404, "DoesNotExist")
        if volume.kind == "root":
            raise Refused(403, "NoPermission")
        del self.volumes[path]

    # --- nodes -------------------------------------------------------------------------------------------------------

    def find(self, address: str) -> tuple[Volume, Node]:
        volume, path = self.volume_of(address)
        return volume, _walk(volume, path)

    def ensure(self, address: str, kind: str) -> tuple[Volume, Node]:
        """The node at an address, made with all its parents if it is missing."""
        volume, path = self.volume_of(address)
        try:
            return volume, _walk(volume, path)
        except Refused:
            pass
        if kind not in ("file", "directory"):
            raise Refused(400, "InvalidKind")
        node = volume.root
        *parents, name = [part for part in path.split("/") if part]
        for part in parents:
            node = self._directory(volume, node, part)
        return volume, self._add(volume, node, name, kind)

    def move(self, volume: Volume, node: Node, path: str) -> None:
        """To a path inside the same volume. What is there is deleted, with everything in it, and nobody is asked."""
        if not path.startswith("/") or node.parent is None:
            raise Refused(400, "invalid path")
        directory, _, name = path.rpartition("/")
        parent = _walk(volume, directory or "/")
        if parent.kind != "directory":
            raise Refused(400, "NotADirectory")
        _check_name(name)
        above: Node | None = parent
        while above is not None:
            if above is node:
                raise Refused(403, "NoPermission: a directory cannot be moved into itself")
            above = above.parent
        present = parent.children.get(name)
        if present is node:
            return
        if present is not None:
            self.delete(volume, present)
        del node.parent.children[node.name]
        self._touch(volume, node.parent, stamp=False)
        node.parent, node.name = parent, name
        parent.children[name] = node
        self._touch(volume, parent, stamp=False)
        self._touch(volume, node)

    def delete(self, volume: Volume, node: Node) -> None:
        """With everything in it, which dies without a word."""
        if node.parent is None:
            raise Refused(403, "NoPermission: the root of a volume")
        del node.parent.children[node.name]
        self._touch(volume, node.parent, stamp=False)
        for each in _subtree(node):
            each.is_live = False
        self._touch(volume, node)

    # --- content -----------------------------------------------------------------------------------------------------

    def give(self, volume: Volume, node: Node, content: bytes) -> None:
        digest = f"sha1:{hashlib.sha1(content).hexdigest()}"
        if node.kind != "file":
            raise Refused(400, "NotAFile")
        if node.hash == digest:
            return
        if len(content) - (node.size or 0) > self.quota - self.used:
            raise Refused(507, "QuotaExceeded")
        self.blobs[digest] = content
        self._set_content(volume, node, digest)

    def reuse(self, volume: Volume, node: Node, digest: str, magic: str | None) -> None:
        """The content with this hash, if there is a reason to believe that the user has it."""
        content = self.blobs.get(digest)
        owned = any(each.hash == digest for each in self._all())
        if content is None or not (owned or magic == magic_hash(content)):
            raise Refused(400, "The content could not be reused.")
        if len(content) - (node.size or 0) > self.quota - self.used:
            raise Refused(507, "QuotaExceeded")
        if node.hash != digest:
            self._set_content(volume, node, digest)

    def _set_content(self, volume: Volume, node: Node, digest: str) -> None:
        node.hash, node.size = digest, len(self.blobs[digest])
        self._touch(volume, node)

    # --- the rest ----------------------------------------------------------------------------------------------------

    def _all(self) -> Iterator[Node]:
        for volume in self.volumes.values():
            yield from volume.nodes

    def _add_volume(self, path: str, kind: str) -> Volume:
        self.volumes[path] = Volume(path, kind, time.time())
        return self.volumes[path]

    def _directory(self, volume: Volume, parent: Node, name: str) -> Node:
        """A component of a path. Where a file is in the way, the directory gets another name."""
        present = parent.children.get(name)
        if present is not None and present.kind == "directory":
            return present
        if present is not None:
            stem, dot, extension = name.partition(".")
            name = next(
                free
                for free in [*(f"{stem}~{number}{dot}{extension}" for number in range(1, 6)), uuid.uuid4().hex]
                if free not in parent.children
            )
        return self._add(volume, parent, name, "directory")

    def _add(self, volume: Volume, parent: Node, name: str, kind: str) -> Node:
        _check_name(name)
        volume.generation += 1
        now = time.time()
        node = Node(name, kind, parent, now, now, volume.generation, volume.generation)
        parent.children[name] = node
        parent.changed = now
        volume.nodes.append(node)
        return node

    def _touch(self, volume: Volume, node: Node, *, stamp: bool = True) -> None:
        node.changed = time.time()
        if stamp:
            volume.generation += 1
            node.generation = volume.generation


def magic_hash(content: bytes) -> str:
    return f"magic_hash:{hashlib.sha1(MAGIC + content).hexdigest()}"


def _walk(volume: Volume, path: str) -> Node:
    node = volume.root
    for part in (part for part in path.split("/") if part):
        if part not in node.children:
            raise Refused(404, "DoesNotExist")
        node = node.children[part]
    return node


def _subtree(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children.values():
        yield from _subtree(child)


def _check_name(name: str) -> None:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise Refused(400, "InvalidFilename")
