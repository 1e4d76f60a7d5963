"""What a contributor can run: ``nox`` for everything, ``nox -s unit`` for a part, ``nox -l`` for the list.

The sessions share the environment that nox itself runs in (``contrib/test.sh`` makes one in ``.venv``): building an
environment per session would take longer than the tests.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "layers", "tests"]
nox.options.error_on_missing_interpreters = False

TOOLS = Path(sys.executable).parent
NEEDS_A_MOUNT = ("tests/mount", "tests/crash", "tests/property", "tests/fstab")
NEEDS_A_SERVER = (
    *("tests/stores", "tests/swift", "tests/network", "tests/onedrive", "tests/hubic", "tests/ubuntuone"),
    "tests/benchmarks",
)
WORKERS = ("--numprocesses=2", "--dist=loadfile")


def tool(session: nox.Session, name: str, *arguments: str) -> None:
    """Run a program of the environment, whatever PATH says."""
    session.run(str(TOOLS / name), *arguments, external=True)


def pytest(session: nox.Session, *arguments: str) -> None:
    """Run tests; what follows ``--`` on nox's command line goes to pytest and comes last, so that it wins."""
    path = os.pathsep.join([str(TOOLS), os.environ.get("PATH", os.defpath)])
    # Hundreds of drivers and commands are started: none of them should have to compile everything anew.
    environment = {"PATH": path, "PYTHONDONTWRITEBYTECODE": ""}
    session.run(str(TOOLS / "pytest"), *arguments, *session.posargs, env=environment, external=True)


def without(*directories: str) -> list[str]:
    return [f"--ignore={directory}" for directory in directories]


@nox.session
def lint(session: nox.Session) -> None:
    """Style and common mistakes; `ruff check --fix` and `ruff format` mend most of it."""
    tool(session, "ruff", "check", ".")
    tool(session, "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict."""
    tool(session, "mypy")


@nox.session
def layers(session: nox.Session) -> None:
    """Imports point down (the contracts are in pyproject.toml)."""
    tool(session, "lint-imports", "--no-logo")


@nox.session
def tests(session: nox.Session) -> None:
    """Every test there is, in one run, so that pytest's last line counts them all."""
    pytest(session, *WORKERS)


@nox.session
def quick(session: nox.Session) -> None:
    """What to run before every commit: style, types, layers and the unit tests, in less than a minute."""
    for step in ("lint", "types", "layers", "unit"):
        session.notify(step)


@nox.session
def unit(session: nox.Session) -> None:
    """All that needs neither a mount nor a server."""
    pytest(session, *WORKERS, *without(*NEEDS_A_MOUNT, *NEEDS_A_SERVER))


@nox.session
def stores(session: nox.Session) -> None:
    """The conformance suite, against every store; and Swift with a mount and with other clients."""
    pytest(session, "tests/stores", "tests/swift")


@nox.session
def mount(session: nox.Session) -> None:
    """The real kernel: system calls, tar, rsync, git, sqlite through a mount."""
    pytest(session, "tests/mount")


@nox.session
def crash(session: nox.Session) -> None:
    """Kill the driver at every durable step, mount again, lose nothing."""
    pytest(session, "tests/crash")


@nox.session
def property(session: nox.Session) -> None:
    """Random programs on a mount and on a plain directory end the same."""
    pytest(session, "tests/property")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation's links and examples."""
    pytest(session, "tests/docs")


@nox.session
def bench(session: nox.Session) -> None:
    """Compare cloudfs with its peers and with no file system at all; `nox -s bench -- --help` for the options."""
    session.run(str(TOOLS / "python"), "-m", "benchmarks", *session.posargs, external=True)
