"""Three ways to look at a tree: through the mount, in the store, and for what is left over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudfs.catalog.nodes import Node
from cloudfs.errors import NotFound, Unavailable
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.memory.tree import Node as Stored
from cloudfs.types import ROOT
from tests.writeback.model import Row, View
from tests.writeback.rig import Rig

UNREADABLE = b"the store does not give the bytes right now"


async def mount_view(rig: Rig) -> View:
    """What applications see; content that the store does not give right now is `UNREADABLE`."""
    firsts: dict[int, bytes] = {}
    rows: dict[bytes, Row] = {}
    for path, node in sorted([found async for found in _walk(rig, b"", ROOT)], key=lambda found: found[0]):
        first = firsts.setdefault(node.ino, path)
        rows[path] = Row(node.mode, node.uid, node.gid, await _data(rig, node), first, node.mtime_ns)
    return rows


async def _walk(rig: Rig, prefix: bytes, ino: int) -> Any:
    await rig.directories.known(ino)
    for _, name, node in rig.catalog.links.children(ino, 0, 1 << 30):
        yield prefix + name, node
        if node.is_directory:
            async for found in _walk(rig, prefix + name + b"/", node.ino):
                yield found


async def _data(rig: Rig, node: Node) -> bytes:
    if not node.is_regular:
        return node.target or b""
    try:
        return await rig.read_inode(node.ino)
    except (Unavailable, NotFound):
        return UNREADABLE


def store_view(tree: MemoryTree, *, hard_links: bool) -> View:
    """What the store holds. Files with the same ``link_group`` are one where the store itself has no hard links."""
    firsts: dict[object, bytes] = {}
    rows: dict[bytes, Row] = {}
    for path, stored in sorted(_stored(b"", tree.root), key=lambda found: found[0]):
        kept = stored.attributes
        group: object = id(stored) if hard_links or not kept.link_group else kept.link_group
        first = firsts.setdefault(group, path)
        data = kept.target or stored.content.read(0, stored.content.size)
        rows[path] = Row(kept.mode, kept.uid, kept.gid, data, first, kept.mtime_ns)
    return rows


def _stored(prefix: bytes, directory: Stored) -> Iterator[tuple[bytes, Stored]]:
    for name, stored in directory.children.items():
        yield prefix + name, stored
        yield from _stored(prefix + name + b"/", stored)


def left_over(rig: Rig) -> list[str]:
    """What should not be in a catalogue whose two trees agree, in words."""
    value = rig.catalog.database.value
    questions = {
        "names whose halves differ": "SELECT count(*) FROM links WHERE parent IS NOT at_parent OR name IS NOT at_name",
        "pending names": "SELECT count(*) FROM links WHERE pending IS NOT NULL",
        "inodes without a name": "SELECT count(*) FROM nodes WHERE NOT EXISTS"
        " (SELECT 1 FROM links WHERE links.ino = nodes.ino)",
        "names without an inode": "SELECT count(*) FROM links WHERE NOT EXISTS"
        " (SELECT 1 FROM nodes WHERE links.ino = nodes.ino)",
        "wrong link counts of files": "SELECT count(*) FROM nodes WHERE (mode & 0xf000) != 0x4000 AND nlink !="
        " (SELECT count(*) FROM links WHERE links.ino = nodes.ino)",
        "wrong link counts of directories": "SELECT count(*) FROM nodes d WHERE (mode & 0xf000) = 0x4000 AND nlink !="
        " 2 + (SELECT count(*) FROM links l JOIN nodes n ON n.ino = l.ino"
        " WHERE l.parent = d.ino AND (n.mode & 0xf000) = 0x4000)",
        "names in what is not a directory": "SELECT count(*) FROM links l JOIN nodes n ON n.ino = l.parent"
        " WHERE (n.mode & 0xf000) != 0x4000",
        "records of staged files": "SELECT count(*) FROM staged",
        "records of pieces": "SELECT count(*) FROM pieces",
        "memos": "SELECT count(*) FROM memos",
        "doubts": "SELECT count(*) FROM doubts",
    }
    found = [f"{count} {what}" for what, question in questions.items() if (count := value(question))]
    if rig.staging.used:
        found.append(f"{rig.staging.used} bytes counted as staged")
    return found + [f"staged file {name}" for name in rig.staged_files()]


def dump(rig: Rig) -> list[Any]:
    """The catalogue, but for when directories were listed."""
    columns = "ino, mode, uid, gid, rdev, size, mtime, nlink, target, link_group, content, attrs"
    execute = rig.catalog.database.execute
    return [
        execute(f"SELECT {columns} FROM nodes ORDER BY ino").fetchall(),
        execute("SELECT * FROM links ORDER BY id").fetchall(),
    ]
