import pytest

from benchmarks.page import with_tables
from tests.docs.test_links import ROOT

PAGE = "# Title\n\n<!-- results -->\nold\n<!-- end of results -->\n\ntext\n"


def test_a_table_takes_the_place_of_the_one_before() -> None:
    once = with_tables(PAGE, {"results": r"| \1 |"})
    assert once == "# Title\n\n<!-- results -->\n\n| \\1 |\n\n<!-- end of results -->\n\ntext\n"
    assert with_tables(once, {"results": r"| \1 |"}) == once


def test_a_page_without_a_place_for_it() -> None:
    with pytest.raises(ValueError, match="growth"):
        with_tables(PAGE, {"growth": "| 1 |"})


def test_the_page_about_performance_has_a_place_for_each() -> None:
    page = (ROOT / "docs/explanation/performance.md").read_text()
    assert with_tables(page, {"results": "| 1 |", "growth": "| 2 |"}) != page
