"""The tables in a page of the documentation: between two comments that name them."""

from __future__ import annotations

import re


def with_tables(page: str, tables: dict[str, str]) -> str:
    """The page with each table between ``<!-- NAME -->`` and ``<!-- end of NAME -->``, in place of what was there.

    Raises `ValueError` if the page has no place for one.
    """
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        page, places = pattern.subn(lambda _, text=f"{begin}\n\n{table}\n\n{end}": text, page)  # type: ignore[misc]
        if not places:
            raise ValueError(f"the page has no {begin}")
    return page
