"""In which order programs that read whole trees come by the files: what is next after a file."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.nodes import Node
from cloudfs.types import ROOT

_PAGE = 64


class Order(Enum):
    """How directories are visited; their entries always in the order in which they are listed."""

    AS_LISTED = auto()
    """A directory among the files of the one above, where it is listed: tar, cp, find."""
    FILES_FIRST = auto()
    """All files of a directory, then what is in its subdirectories: rsync."""


class Succession:
    """The regular files after a name, to the end of the tree; and directories whose names are not known.

    Going on after one of those, its names are known, or it is passed over.
    """

    def __init__(self, catalog: Catalog, order: Order) -> None:
        self._links = catalog.links
        self._order = order

    def after(self, link: Link) -> Iterator[Node]:
        """What comes after a name of a file."""
        directory, after = link.parent, link.id
        if directory is None:
            return
        if self._order is Order.AS_LISTED:
            yield from self._inside(directory, after)
        else:
            yield from self._files(directory, after)
            yield from self._subdirectories(directory, 0)
        while directory != ROOT:
            above = self._links.directory(directory)
            if above.parent is None:
                return
            directory, after = above.parent, above.id
            if self._order is Order.AS_LISTED:
                yield from self._inside(directory, after)
            else:
                yield from self._subdirectories(directory, after)

    def _inside(self, directory: int, after: int) -> Iterator[Node]:
        for node in self._children(directory, after):
            if node.is_directory:
                yield from self._tree(node)
            elif node.is_regular:
                yield node

    def _files(self, directory: int, after: int) -> Iterator[Node]:
        return (node for node in self._children(directory, after) if node.is_regular)

    def _subdirectories(self, directory: int, after: int) -> Iterator[Node]:
        for node in self._children(directory, after):
            if node.is_directory:
                yield from self._tree(node)

    def _tree(self, directory: Node) -> Iterator[Node]:
        if directory.listed_ns is None:
            yield directory
        if self._order is Order.AS_LISTED:
            yield from self._inside(directory.ino, 0)
        else:
            yield from self._files(directory.ino, 0)
            yield from self._subdirectories(directory.ino, 0)

    def _children(self, directory: int, after: int) -> Iterator[Node]:
        while page := self._links.children(directory, after, _PAGE):
            for link, _name, node in page:
                after = link
                yield node
