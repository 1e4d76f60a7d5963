import random
from pathlib import Path

from benchmarks.sources import LARGEST, MEAN_SIZE, SMALLEST, TREE_FILES, Sizes, make_sources, tree_sizes


def test_the_tree_is_the_one_the_design_was_measured_with() -> None:
    sizes = tree_sizes(random.Random(1))
    assert len(sizes) == TREE_FILES == 2_450
    assert min(sizes) >= SMALLEST
    assert max(sizes) <= LARGEST
    assert abs(sum(sizes) - 99_000_000) < 990_000


def test_the_tree_is_the_same_every_time() -> None:
    assert tree_sizes(random.Random("tree")) == tree_sizes(random.Random("tree"))


def test_a_smaller_tree_has_files_of_the_same_sizes() -> None:
    assert abs(sum(tree_sizes(random.Random(1), 100)) / 100 - MEAN_SIZE) < MEAN_SIZE / 10


def test_everything_is_there_to_be_copied(tmp_path: Path) -> None:
    sources = make_sources(tmp_path, Sizes(big=2 << 20, tree=40, names=0))
    assert sources.big.stat().st_size == 2 << 20
    assert sum(path.is_file() for path in sources.tree.rglob("*")) == 40
    assert sources.archive.stat().st_size > 40 * MEAN_SIZE / 2
    assert (sources.repository / "refs/heads").is_dir()
