"""The tree of a `MemoryStore`: objects, their names, their bytes. Plain data; nothing here is asynchronous."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from cloudfs.stores.sparse import Piece, SparseDigest
from cloudfs.types import Attributes, Version


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """Content with holes: ascending pieces that begin at a block (`cloudfs.stores.sparse`).

    ``tokens`` are those of the pieces that were sent before and belong to it (`cloudfs.stores.base.Pieces`).
    """

    size: int = 0
    pieces: tuple[Piece, ...] = ()
    tokens: frozenset[str] = frozenset()

    def read(self, start: int, stop: int) -> bytes:
        data = bytearray(stop - start)
        for at, piece in self.pieces:
            first, last = max(start, at), min(stop, at + len(piece))
            if first < last:
                data[first - start : last - start] = piece[first - at : last - at]
        return bytes(data)

    def digest(self) -> str:
        digest = SparseDigest()
        digest.add_all(self.pieces)
        return digest.finish(self.size)


@dataclass(eq=False, slots=True)
class Node:
    """An object. ``version`` is empty and ``content`` too for a directory; ``links`` counts its names."""

    identity: str
    is_directory: bool
    attributes: Attributes
    version: Version
    content: MemoryFile
    links: int = 1
    children: dict[bytes, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Name:
    """A name in a directory; there need not be anything of that name."""

    parent: Node
    name: bytes

    @property
    def node(self) -> Node | None:
        return self.parent.children.get(self.name)


class MemoryTree:
    """All objects of one account. With ``total``, that many bytes fit in."""

    def __init__(self, total: int | None = None) -> None:
        self.total = total
        self.used = 0
        self.pieces: dict[str, bytes] = {}
        self._serial = itertools.count(1)
        self._nodes: dict[str, Node] = {}
        self._names: dict[str, Name] = {}
        self._journal: dict[str, int] = {}
        attributes = Attributes(mode=0o040755, uid=0, gid=0, mtime_ns=0)
        self.root = self._make(attributes, is_directory=True, content=MemoryFile())

    def by_identity(self, identity: str) -> Node | None:
        return self._nodes.get(identity)

    @property
    def now(self) -> int:
        """The number of the last change; they are numbered from 1."""
        return next(reversed(self._journal.values()), 0)

    def changed_since(self, number: int) -> list[tuple[str, int]]:
        """The identities of what was changed after a number, each with the number of its last change, in order."""
        return [(identity, last) for identity, last in self._journal.items() if last > number]

    def touch(self, node: Node) -> None:
        """Something of ``node`` has changed."""
        self._journal.pop(node.identity, None)
        self._journal[node.identity] = next(self._serial)

    def touch_root(self) -> int:
        """A change of the root; its number."""
        self.touch(self.root)
        return self.now

    def name_of(self, node: Node) -> Name | None:
        """The name it was given last; None for the root."""
        return self._names.get(node.identity)

    def fits(self, name: Name, size: int) -> bool:
        """Whether ``size`` bytes find room instead of what has the name now."""
        freed = name.node.content.size if name.node is not None and name.node.links == 1 else 0
        return self.total is None or self.used - freed + size <= self.total

    def add_directory(self, name: Name, attributes: Attributes) -> Node:
        return self.give(name, self._make(attributes, is_directory=True, content=MemoryFile()))

    def add_file(self, name: Name, attributes: Attributes, content: MemoryFile) -> Node:
        return self.give(name, self._make(attributes, is_directory=False, content=content))

    def add_piece(self, data: bytes) -> str:
        """Bytes that belong to no object yet; returns their token."""
        token = f"p{next(self._serial)}"
        self.pieces[token] = data
        return token

    def owns(self, token: str) -> bool:
        """Whether some object is made of this piece."""
        return any(token in node.content.tokens for node in self._nodes.values())

    def release(self, content: MemoryFile) -> None:
        """No object has that content any more, or one less: pieces without an owner go with it."""
        for token in content.tokens:
            if not self.owns(token):
                self.pieces.pop(token, None)

    def rewrite(self, node: Node, attributes: Attributes, content: MemoryFile) -> None:
        """A file stays the object it is, and gets other bytes."""
        self.used += content.size - node.content.size
        old, node.attributes, node.content = node.content, attributes, content
        node.version = Version(f"v{next(self._serial)}")
        self.release(old)
        self.touch(node)

    def give(self, name: Name, node: Node, *, new: bool = True) -> Node:
        """``node`` gets a name, its first or another one; what had the name loses it."""
        self.take(name)
        name.parent.children[name.name] = node
        self._names[node.identity] = name
        node.links += not new
        self.touch(node)
        return node

    def take(self, name: Name) -> None:
        """What has the name loses it, and is gone if it was the last one."""
        node = name.parent.children.pop(name.name, None)
        if node is None:
            return
        node.links -= 1
        self.touch(node)
        if not node.links:
            self.used -= node.content.size
            del self._nodes[node.identity]
            del self._names[node.identity]
            self.release(node.content)

    def move(self, old: Name, new: Name) -> None:
        """What has the old name has the new one instead, together with everything in it."""
        node = old.parent.children.pop(old.name)
        if new.node is node:
            node.links -= 1
            self._names[node.identity] = new
            self.touch(node)
        else:
            self.give(new, node)

    def _make(self, attributes: Attributes, *, is_directory: bool, content: MemoryFile) -> Node:
        serial = next(self._serial)
        version = Version("" if is_directory else f"v{serial}")
        node = Node(f"id{serial}", is_directory, attributes, version, content)
        self._nodes[node.identity] = node
        self.used += content.size
        return node
