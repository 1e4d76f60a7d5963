"""Where the secret settings of a remote come from.

For a setting ``key`` of the remote ``backup``, the first of these that there is:

1. one of ``key``, ``key_file`` and ``key_command`` in ``[remote.backup]``,
2. the systemd credential ``backup.key`` (``LoadCredential=backup.key:/etc/cloudfs/backup.key``),
3. the environment: ``CLOUDFS_SECRET_BACKUP_KEY``, then the variables the setting declares.

Of files and commands the first line counts. Nothing is remembered: who asks again gets what is there by then, so a
changed password needs no restart.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from shlex import quote

import trio

from cloudfs.config import Remote
from cloudfs.errors import UsageError
from cloudfs.settings.kinds import Setting
from cloudfs.settings.secret import Secret

__all__ = ["COMMAND_SECONDS", "Secret", "find_secret", "load_secret", "require_secret"]

COMMAND_SECONDS = 60.0
"""How long ``key_command`` may take: time enough to unlock a keyring, not to hang a boot."""
_MOST = 64 << 10
"""Bytes of a file or of a command's output that are looked at."""


async def load_secret(remote: Remote, name: str) -> Secret:
    """`require_secret` in a thread, because files and commands block."""
    return await trio.to_thread.run_sync(require_secret, remote, name, abandon_on_cancel=True)


def require_secret(remote: Remote, name: str, *, seconds: float = COMMAND_SECONDS) -> Secret:
    """`find_secret`, but `UsageError` that says where to put it if it is nowhere."""
    secret = find_secret(remote, name, seconds=seconds)
    if secret is None:
        setting = remote.kind.setting(name)
        places = " or ".join(
            [*setting.keys, f"${_variable(remote, name)}", *(f"${each}" for each in setting.environment)]
        )
        raise UsageError(f"remote {remote.name}: {name} is missing; give it as {places}")
    return secret


def find_secret(remote: Remote, name: str, *, seconds: float = COMMAND_SECONDS) -> Secret | None:
    """The secret setting ``name`` of a remote, None if it is nowhere. It may block for ``seconds``.

    Raises `UsageError`, which never quotes a secret or a command's output, if the place that was named cannot be
    read, is not private, or is empty.
    """
    setting = remote.kind.setting(name)
    return (
        _configured(remote, setting) or _from_command(remote, setting, seconds) or _from_surroundings(remote, setting)
    )


def _configured(remote: Remote, setting: Setting) -> Secret | None:
    value = remote.settings.get(setting.name)
    if isinstance(value, Secret):
        return _not_empty(value.reveal(), f"remote {remote.name}: {setting.name}")
    file = remote.settings.get(f"{setting.name}_file")
    if not isinstance(file, str):
        return None
    place = f"remote {remote.name}: {setting.name}_file"
    path = Path(file).expanduser()
    return _not_empty(_read_private(path, place), f"{place}: {path}")


def _from_command(remote: Remote, setting: Setting, seconds: float) -> Secret | None:
    command = remote.settings.get(f"{setting.name}_command")
    if not isinstance(command, str):
        return None
    place = f"remote {remote.name}: {setting.name}_command"
    return _not_empty(_run(command, place, seconds), f"{place}: what it printed")


def _from_surroundings(remote: Remote, setting: Setting) -> Secret | None:
    if directory := os.environ.get("CREDENTIALS_DIRECTORY"):
        # Whoever may read it is systemd's affair, and the mode differs with the version.
        credential = Path(directory, f"{remote.name}.{setting.name}")
        if credential.exists():
            return _not_empty(_read(credential, f"remote {remote.name}"), f"remote {remote.name}: {credential}")
    for variable in (_variable(remote, setting.name), *setting.environment):
        if text := os.environ.get(variable):
            return Secret(text)
    return None


def _variable(remote: Remote, name: str) -> str:
    return "CLOUDFS_SECRET_" + re.sub(r"\W", "_", f"{remote.name}_{name}", flags=re.ASCII).upper()


def _read_private(path: Path, place: str) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise UsageError(f"{place}: cannot read {path}: {error.strerror}") from None
    if mode & 0o077:
        raise UsageError(f"{place}: others may read {path}; protect it with: chmod 600 {quote(str(path))}")
    return _read(path, place)


def _read(path: Path, place: str) -> str:
    try:
        with open(path, "rb") as file:
            return _decoded(file.read(_MOST), f"{place}: {path}")
    except OSError as error:
        raise UsageError(f"{place}: cannot read {path}: {error.strerror}") from None


def _run(command: str, place: str, seconds: float) -> str:
    """What ``command`` prints. Its complaints are dropped: nobody knows what it puts there."""
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            # The shell's children too, or a command that hangs would keep the pipe, and us with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise UsageError(f"{place}: it took longer than {seconds:g} s; run it by hand to see why") from None
    if process.returncode:
        raise UsageError(f"{place}: it failed {_outcome(process.returncode)}; run it by hand to see why")
    return _decoded(printed[:_MOST], f"{place}: what it printed")


def _outcome(status: int) -> str:
    return f"with exit status {status}" if status > 0 else f"by signal {-status}"


def _decoded(content: bytes, place: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{place} is not UTF-8 text") from None


def _not_empty(text: str, place: str) -> Secret:
    line = text.partition("\n")[0].removesuffix("\r")
    if not line:
        raise UsageError(f"{place} is empty")
    return Secret(line)
