from dataclasses import replace

from benchmarks.results import FLOOR, SUBJECT, Measurement, Table
from benchmarks.targets import FAR, FAR_BANDWIDTH, NEAR, TARGETS, Against, judge, markdown
from benchmarks.works import WORKS, Start

ONE = Measurement(NEAR, "big tar", SUBJECT, 1.0, 3.0, 0, 0, 0.0, 0.0, 0)


def test_every_target_is_of_a_work_that_is_done_on_its_line() -> None:
    works = {work.name: work for work in WORKS}
    assert all(target.line == NEAR or works[target.work].far for target in TARGETS)


def test_every_work_needs_one_that_is_done_before_it_in_the_same_container() -> None:
    done: set[str] = set()
    for work in WORKS:
        done = set() if work.start is Start.FRESH else done
        assert not work.needs or work.needs in done
        done.add(work.name)


def test_what_was_not_measured_is_not_judged() -> None:
    assert judge(Table([ONE]), far_big=0) == []


def test_until_the_tool_returned_and_until_stored_are_different_targets() -> None:
    table = Table([ONE, replace(ONE, system=FLOOR, seconds=0.9), replace(ONE, system="rclone", seconds=3.0)])
    verdicts = {(verdict.target.against, verdict.target.stored): verdict for verdict in judge(table, far_big=0)}
    assert round(verdicts[Against.FLOOR, False].value, 2) == 1.11
    assert verdicts[Against.FLOOR, False].reached
    assert round(verdicts[Against.RCLONE, False].value, 2) == 0.33
    assert not verdicts[Against.RCLONE, False].reached
    assert verdicts[Against.PEER, True].value == 4.0 / 6.0


def test_the_lines_limit_is_the_time_its_bytes_take() -> None:
    table = Table([replace(ONE, line=FAR)])
    (verdict,) = judge(table, far_big=int(2 * FAR_BANDWIDTH))
    assert verdict.value == 2.0


def test_memory_is_a_target_too() -> None:
    assert markdown([], 200_000_000).splitlines()[-1] == "| **no** | all | all | 150 | MB of memory | 200 |"
