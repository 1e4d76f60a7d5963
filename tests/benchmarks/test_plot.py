from dataclasses import replace
from pathlib import Path

from benchmarks.plot import draw
from benchmarks.results import FLOOR, Table
from tests.benchmarks.test_results import ONE


def test_the_picture_has_every_system_and_what_became_of_it(tmp_path: Path) -> None:
    table = Table([ONE, replace(ONE, system=FLOOR), replace(ONE, system="rclone", failure="not done in 60 seconds")])
    for name in ("one.svg", "other.svg"):
        draw(table, tmp_path / name)
    picture = (tmp_path / "one.svg").read_text()
    assert all(word in picture for word in ("cloudfs", FLOOR, "rclone", "not done in 60 seconds", "2.00 + 1.0"))
    assert picture == (tmp_path / "other.svg").read_text()
