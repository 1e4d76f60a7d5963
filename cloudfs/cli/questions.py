"""Asks a person on a terminal for the settings that a remote still needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

import click

from cloudfs.cli.program import complain
from cloudfs.config import Remote
from cloudfs.errors import UsageError
from cloudfs.settings.kinds import Kind, Setting, StoreType
from cloudfs.settings.types import STORE_TYPES

Given = dict[str, str | int | bool]
"""Settings as they will stand in the file, by key."""


def can_ask() -> bool:
    """Whether there is a person at both ends."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_type() -> str:
    """One of the types there are."""
    click.echo("What kind of store is it?", err=True)
    for kind in STORE_TYPES.values():
        click.echo(f"  {kind.name:<12}{kind.summary}", err=True)
    answer: str = click.prompt("type", type=click.Choice([*STORE_TYPES]), show_choices=False, err=True)
    return answer


def parse_assignments(kind: StoreType, assignments: Iterable[str]) -> Given:
    """``KEY=VALUE`` from the command line. `UsageError` never quotes the value, which may be a secret."""
    given: Given = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        setting = kind.keys.get(key)
        if not equals:
            raise UsageError(f"--set {key}: a value is missing, as in --set {key}=VALUE")
        if setting is None:
            raise UsageError(f"--set {key}: type {kind.name} has no such setting; it has {', '.join(kind.keys)}")
        given[key] = _parse(f"--set {key}", setting, key, text)
    return given


def still_needed(name: str, kind: StoreType, given: Mapping[str, str | int | bool]) -> list[Setting]:
    """The required settings, and the usual ones, that neither ``given`` nor the environment has."""
    nothing = Remote(name, kind.name, {})
    wanted = (setting for setting in kind.settings if setting.required or setting.usual)
    missing = (setting for setting in wanted if not set(setting.keys) & set(given))
    return [setting for setting in missing if not _is_in_surroundings(nothing, setting)]


def ask(setting: Setting) -> Given:
    """The answer, once it is one; none for a setting that may be left out, and was.

    A secret is not echoed; who gives none is asked for a command that prints it.
    """
    click.echo(setting.help.replace("`", ""), err=True)
    if setting.kind is not Kind.SECRET:
        return _ask(setting, setting.name)
    hint = " (not shown; empty: a command prints it)"
    return _ask(setting, setting.name, hint, hidden=True) or _ask(setting, f"{setting.name}_command")


def _ask(setting: Setting, key: str, hint: str = "", *, hidden: bool = False) -> Given:
    may_be_empty = hidden or not setting.required
    hint = hint or (" (may be empty)" if may_be_empty else "")
    while True:
        answer = click.prompt(f"{key}{hint}", hide_input=hidden, default="", show_default=False, err=True)
        try:
            if answer:
                return {key: _parse(key, setting, key, answer)}
        except UsageError as error:
            complain(str(error))
            continue
        if may_be_empty:
            return {}


def _parse(place: str, setting: Setting, key: str, text: str) -> str | int | bool:
    try:
        return setting.parse(key, text)
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None


def _is_in_surroundings(remote: Remote, setting: Setting) -> bool:
    from cloudfs.auth.secrets import find_secret  # it brings the event loop

    if setting.kind is Kind.SECRET:
        return find_secret(remote, setting.name) is not None
    return any(os.environ.get(variable) for variable in setting.environment)
