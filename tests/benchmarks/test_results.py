from benchmarks.results import Comparison, Measurement, markdown, median_of


def measurement(system: str, seconds: float) -> Measurement:
    return Measurement(system, seconds, stored_seconds=0.5, cpu_seconds=0.25, peak_bytes=64 << 20)


def test_medians_are_of_each_figure_by_itself() -> None:
    rounds = [
        Measurement("cloudfs", 1.0, 30.0, 0.3, 100),
        Measurement("cloudfs", 2.0, 10.0, 0.2, 300),
        Measurement("cloudfs", 9.0, 20.0, 0.1, 200),
    ]
    assert median_of(rounds) == Measurement("cloudfs", 2.0, 20.0, 0.2, 200)


def test_the_ratio_is_in_floors() -> None:
    comparison = Comparison("tar", 1.5, [measurement("floor", 0.4), measurement("cloudfs", 0.6)])
    assert comparison.ratio("cloudfs") == 0.6 / 0.4
    assert comparison.ratio("floor") == 1.0


def test_only_cloudfs_is_held_to_the_limit() -> None:
    floor = measurement("floor", 1.0)
    assert Comparison("tar", 1.5, [floor, measurement("cloudfs", 1.5), measurement("other", 9.0)]).within_limit
    assert not Comparison("tar", 1.5, [floor, measurement("cloudfs", 1.51)]).within_limit


def test_without_a_floor_there_is_no_ratio_and_no_verdict() -> None:
    comparison = Comparison("tar", 1.5, [measurement("cloudfs", 9.0)])
    assert comparison.ratio("cloudfs") is None
    assert comparison.within_limit


def test_the_table_has_ratios_before_seconds() -> None:
    comparison = Comparison("tar", 1.5, [measurement("floor", 0.4), measurement("cloudfs", 0.5)])
    assert markdown([comparison]).splitlines()[2:] == [
        "| tar | floor | 1.00 |  | 0.40 | +0.50 | 0.25 | 64 |",
        "| tar | cloudfs | 1.25 | 1.50 | 0.50 | +0.50 | 0.25 | 64 |",
    ]
