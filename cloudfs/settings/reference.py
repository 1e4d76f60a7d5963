"""The tables of docs/reference/configuration.md: ``python -m cloudfs.settings.reference`` prints them."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfs.quantities import show_size
from cloudfs.settings.kinds import Kind, Setting, StoreType
from cloudfs.settings.types import STORE_TYPES


def table(kind: StoreType) -> list[str]:
    """The lines of a type's table, in Markdown. One without settings has none."""
    if not kind.settings:
        return []
    return ["| key | type | meaning |", "|---|---|---|", *(_row(setting) for setting in kind.settings)]


def meaning(setting: Setting) -> str:
    """All there is to say of a setting."""
    return " ".join([setting.help, *_notes(setting)])


def _row(setting: Setting) -> str:
    keys = ", ".join(f"`{key}`" for key in setting.keys)
    return f"| {keys} | {setting.kind.value} | {meaning(setting)} |"


def _notes(setting: Setting) -> Iterator[str]:
    if setting.choices:
        yield f"One of {', '.join(f'`{choice}`' for choice in setting.choices)}."
    if setting.required:
        yield "Required."
    if setting.default is not None:
        yield f"Default: `{_shown(setting)}`."
    if setting.environment:
        yield f"Else from {', '.join(f'`${name}`' for name in setting.environment)}."


def _shown(setting: Setting) -> str:
    default = setting.default
    if setting.kind is Kind.SIZE and isinstance(default, int):
        return show_size(default).replace(" ", "")
    if setting.kind is Kind.SWITCH:
        return "true" if default else "false"
    return f"{default:g}s" if setting.kind is Kind.DURATION and isinstance(default, int | float) else f"{default}"


def main() -> None:
    for kind in STORE_TYPES.values():
        print(f'### type = "{kind.name}"', "", kind.summary, "", *table(kind), "", sep="\n")


if __name__ == "__main__":
    main()
