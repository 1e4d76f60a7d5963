import random

from benchmarks.sources import LARGEST, SMALLEST, TREE_BYTES, TREE_FILES, tree_sizes


def test_the_tree_is_the_one_the_design_was_measured_with() -> None:
    sizes = tree_sizes(random.Random(1))
    assert len(sizes) == TREE_FILES
    assert min(sizes) >= SMALLEST
    assert max(sizes) <= LARGEST
    assert abs(sum(sizes) - TREE_BYTES) < TREE_BYTES / 100


def test_the_tree_is_the_same_every_time() -> None:
    assert tree_sizes(random.Random("tree")) == tree_sizes(random.Random("tree"))
