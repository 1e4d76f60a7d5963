"""Command line options that are times."""

from __future__ import annotations

import click

from cloudfs.quantities import parse_duration


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """The callback of such an option: seconds, or ``30s``, ``5m``, ``1h30m``."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
