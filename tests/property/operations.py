"""What programs may do to a tree, and what may happen to the driver, to be drawn by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.property.tree import AGES, EXCHANGE, NOREPLACE, Operation

names = st.sampled_from(["a", "b", "späte Datei", "d", "e"])
paths = st.builds(str.__add__, st.sampled_from(["", "", "d/", "d/", "d/d/", "e/", "a/"]), names)
sizes = st.sampled_from([0, 1, 100, 4_095, 4_096, 4_097, 65_536, 131_072, 131_073, 300_000])
offsets = sizes
chunks = st.builds(
    lambda byte, size: bytes([byte]) * size, st.integers(1, 255), st.sampled_from([1, 10, 4_096, 5_000, 140_000])
)
modes = st.sampled_from([0o644, 0o600, 0o755, 0o444, 0o2755, 0o1777, 0o7777, 0])
ids = st.sampled_from([0, 1000, 65534])
slots = st.integers(0, 1)


def operation(name: str, *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Operation]:
    return st.tuples(*arguments).map(lambda drawn: Operation(name, drawn))


ordinary = st.one_of(
    operation("create", paths, modes),
    operation("mkdir", paths, modes),
    operation("mkdir", names, modes),
    operation("mkfifo", paths),
    operation("symlink", names, paths),
    operation("link", paths, paths),
    operation("unlink", paths),
    operation("rmdir", paths),
    operation("rename", paths, paths, st.sampled_from([0, 0, 0, NOREPLACE, EXCHANGE])),
    operation("rename", names, paths, st.sampled_from([0, EXCHANGE])),
    operation("write", paths, offsets, chunks),
    operation("write", names, offsets, chunks),
    operation("append", paths, chunks),
    operation("rewrite", paths, chunks),
    operation("truncate", paths, sizes),
    operation("read", paths, offsets, sizes),
    operation("fsync", paths),
    operation("open", slots, paths),
    operation("open", slots, names),
    operation("write_open", slots, offsets, chunks),
    operation("read_open", slots, offsets, sizes),
    operation("truncate_open", slots, sizes),
    operation("stat_open", slots),
    operation("close", slots),
    operation("chmod", paths, modes),
    operation("chown", paths, ids, ids),
    operation("utimens", paths, st.integers(0, AGES - 1)),
)
"""What programs do."""

disturbances = st.sampled_from(["wait", "wait", "empty_cache", "empty_cache", "remount", "kill", "lose"]).map(Operation)
"""What happens to the driver."""
