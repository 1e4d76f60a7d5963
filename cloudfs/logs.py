"""Where log messages go: to a person in the foreground, to a file of bounded size in the background."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from io import TextIOWrapper
from pathlib import Path

from cloudfs.errors import UsageError

_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"
_FORMAT_OF_JOURNAL = "%(levelname)-7s %(name)s: %(message)s"
_DATE = "%Y-%m-%d %H:%M:%S"
_FILE_BYTES = 4 << 20
_FILES_KEPT = 2


def log_to_terminal(debug: bool) -> None:
    """Log to standard error, which may be systemd's journal: that has its own clock."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT_OF_JOURNAL if "JOURNAL_STREAM" in os.environ else _FORMAT, _DATE))
    _install(handler, debug)


def log_to_file(file: Path, debug: bool) -> None:
    """Log to ``file`` (0600), and let whatever the interpreter itself says on standard error go there as well.

    Raises `UsageError` if it cannot be written.
    """
    try:
        handler = _LogFile(file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the log {file}: {error.strerror}") from None
    handler.setFormatter(logging.Formatter(_FORMAT, _DATE))
    _install(handler, debug)


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log file that standard output and standard error follow when it is turned over."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        for standard in (1, 2):
            os.dup2(descriptor, standard)
        return open(descriptor, "a", encoding=self.encoding, errors="backslashreplace")


def _install(handler: logging.Handler, debug: bool) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    # Only our own words: what the HTTP library says at this level has nothing to do with the kernel's requests.
    logging.getLogger("cloudfs").setLevel(logging.DEBUG if debug else logging.INFO)
    logging.captureWarnings(True)
