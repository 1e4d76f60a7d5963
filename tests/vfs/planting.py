"""Trees at a store, put there by somebody else."""

from __future__ import annotations

from cloudfs.stores.memory.tree import MemoryFile, MemoryTree, Name, Node
from cloudfs.types import Attributes

DIRECTORY = Attributes(mode=0o040755, uid=1000, gid=1000, mtime_ns=10**18)
FILE = Attributes(mode=0o100644, uid=1000, gid=1000, mtime_ns=10**18)


def directory(tree: MemoryTree, path: bytes) -> Node:
    """The directory of a path, made with all above it where there is none."""
    node = tree.root
    for name in filter(None, path.split(b"/")):
        node = node.children.get(name) or tree.add_directory(Name(node, name), DIRECTORY)
    return node


def plant(tree: MemoryTree, path: bytes, data: bytes = b"content") -> Node:
    """A file, whatever was there before."""
    above, _, name = path.rpartition(b"/")
    pieces = ((0, data),) if data else ()
    return tree.add_file(Name(directory(tree, above), name), FILE, MemoryFile(len(data), pieces))


def uproot(tree: MemoryTree, path: bytes) -> None:
    above, _, name = path.rpartition(b"/")
    tree.take(Name(directory(tree, above), name))
