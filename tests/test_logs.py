"""The functions take over the process's standard streams, so each test gives them a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(program: str, *arguments: object, environment: dict[str, str] | None = None) -> str:
    """What ``program`` says on standard error."""
    lines = "import logging, os, sys\nfrom pathlib import Path\nfrom cloudfs import logs\n" + program
    command = [sys.executable, "-c", lines, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    return done.stderr


SPEAK = "logging.getLogger('cloudfs.x').debug('fine'); logging.getLogger('other').debug('chatter')\n"


def test_a_person_sees_the_time_and_no_details() -> None:
    said = run("logs.log_to_terminal(False)\nlogging.getLogger('cloudfs.x').info('hello')\n" + SPEAK)
    assert said.endswith(" INFO    cloudfs.x: hello\n")
    assert said[:2] == "20"


def test_debug_shows_the_details_of_ours_only() -> None:
    said = run("logs.log_to_terminal(True)\n" + SPEAK)
    assert "fine" in said
    assert "chatter" not in said


def test_the_journal_has_its_own_clock() -> None:
    said = run("logs.log_to_terminal(True)\n" + SPEAK, environment={"JOURNAL_STREAM": "8:1"})
    assert said == "DEBUG   cloudfs.x: fine\n"


def test_a_log_file_takes_standard_error_with_it_when_it_turns_over(tmp_path: Path) -> None:
    program = (
        "logs.log_to_file(Path(sys.argv[1]), False)\n"
        "log = logging.getLogger('cloudfs')\n"
        "for number in range(1200): log.info('%d %s', number, 'x' * 10_000)\n"
        "os.write(2, b'the last words')\n"
    )
    assert run(program, tmp_path / "log") == ""
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 13 << 20
    assert (tmp_path / "log").read_text().endswith("the last words")


def test_any_name_can_be_logged(tmp_path: Path) -> None:
    run("logs.log_to_file(Path(sys.argv[1]), False)\nlogging.warning(os.fsdecode(b'\\xff'))", tmp_path / "log")
    assert "\\udcff" in (tmp_path / "log").read_text()
