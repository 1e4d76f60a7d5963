import time

import pytest

from benchmarks.patience import OutOfPatience, patience
from benchmarks.works import chosen, tool


def test_works_are_chosen_with_what_they_need_in_their_order() -> None:
    assert [work.name for work in chosen(["rm*"])] == ["rsync of the tree", "mv of the tree", "rm -rf of the tree"]


def test_a_pattern_that_matches_nothing_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="big tar"):
        chosen(["nothing*"])


def test_who_takes_too_long_is_ended_with_all_it_started() -> None:
    began = time.monotonic()
    with pytest.raises(OutOfPatience), patience(0.2):
        tool("sh", "-c", "sleep 60 | cat")
    assert time.monotonic() - began < 30
