from dataclasses import replace

from benchmarks.results import FLOOR, LOOPS, SUBJECT, Measurement, Table, median_of

ONE = Measurement("near", "tar", SUBJECT, 2.0, 1.0, 10, 1_000_000, 0.5, 0.25, 64 << 20)


def test_medians_are_of_each_figure_by_itself() -> None:
    runs = [
        replace(ONE, seconds=1.0, stored_seconds=30.0, requests=1),
        replace(ONE, seconds=2.0, stored_seconds=10.0, requests=3),
        replace(ONE, seconds=9.0, stored_seconds=20.0, requests=2),
    ]
    assert median_of(runs) == replace(ONE, seconds=2.0, stored_seconds=20.0, requests=2, runs=3)


def test_a_failed_run_counts_only_if_there_is_no_other() -> None:
    failed = replace(ONE, seconds=60.0, failure="not done in 60 seconds")
    assert median_of([failed, ONE]) == ONE
    assert median_of([failed]).failure == failed.failure


def test_who_failed_is_nobodys_peer() -> None:
    table = Table([ONE, replace(ONE, system="rclone", seconds=0.1, failure="broken"), replace(ONE, system="s3fs")])
    assert table.find("near", "tar", "rclone") is None
    assert table.best_peer("near", "tar", stored=False) == 2.0
    assert table.best_peer("near", "tar", stored=True) == 3.0


def test_neither_floors_nor_cloudfs_are_peers() -> None:
    assert (
        Table([ONE, replace(ONE, system=FLOOR), replace(ONE, system=LOOPS)]).best_peer("near", "tar", stored=False)
        is None
    )


def test_the_table_has_ratios_before_seconds() -> None:
    table = Table(
        [
            replace(ONE, system=FLOOR, seconds=1.0, stored_seconds=0.0),
            ONE,
            replace(ONE, system="rclone", seconds=4.0, stored_seconds=2.0),
        ]
    )
    assert table.markdown().splitlines()[3] == (
        "| near | tar | cloudfs | 2.00 | 1.00 | 0.50 | 0.50 |  | 2.00 | +1.00 | 10 | 1.0 | 0.25 | 0.50 | 64 | 1 |"
    )


def test_a_failure_stands_where_its_seconds_would() -> None:
    row = Table([replace(ONE, failure="not done in 60 seconds")]).markdown().splitlines()[2]
    assert "| not done in 60 seconds |" in row
    assert "| 2.00 |" not in row


def test_the_summary_has_a_row_for_each_work_and_a_column_for_each_system() -> None:
    table = Table([ONE, replace(ONE, system=FLOOR, stored_seconds=0.0), replace(ONE, work="rsync", failure="broken")])
    assert table.summary().splitlines() == [
        "| line | work, s | cloudfs | floor |",
        "|---|---|--:|--:|",
        "| near | tar | 2.00 + 1.00 | 2.00 |",
        "| near | rsync | (broken) |  |",
    ]
