"""The local store keeps all its promises for an ordinary user as well."""

from __future__ import annotations

from pathlib import Path

from tests.stores.unprivileged import run_unprivileged

HERE = Path(__file__).parent


def test_the_promises_are_kept_without_privileges() -> None:
    outcome = run_unprivileged(str(HERE / "conformance"), "-k", "local")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_what_is_not_permitted_is_noted() -> None:
    outcome = run_unprivileged(str(HERE / "local_notes.py"))
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
