"""Where the sign-in of a remote is kept: one place for each account, shared by everything that uses it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs

from cloudfs.auth.token_file import TokenFile
from cloudfs.auth.token_keyring import TokenKeyring
from cloudfs.auth.tokens import TokenHome
from cloudfs.config import Remote

_DIRECTORY = "CLOUDFS_SIGN_IN_DIR"
_MEANT = ("client_id", "tenant", "login_url", "api_url", "sso_url")
"""Settings that make it another account, or another application's sign-in."""


def token_home(remote: Remote) -> TokenHome:
    """The home of a remote's token."""
    path = token_path(remote)
    if "keyring" in remote.kind.keys and remote.switch("keyring"):
        return TokenKeyring(path.stem, path)
    return TokenFile(path)


def token_path(remote: Remote) -> Path:
    """A file for each remote and application, so that two configurations of one machine do not mix."""
    meant = [f"{name}={remote.settings.get(name, '')}" for name in _MEANT]
    digest = hashlib.sha256("\n".join([remote.type, *meant]).encode()).hexdigest()[:10]
    return sign_in_directory() / f"{remote.name}-{digest}.json"


def pause_path(remote: Remote) -> Path:
    """Where all that use the account tell each other that the provider asked for a pause."""
    return token_path(remote).with_suffix(".pause")


def sign_in_directory() -> Path:
    """``$CLOUDFS_SIGN_IN_DIR`` overrides."""
    named = os.environ.get(_DIRECTORY)
    if named:
        return Path(named).absolute()
    base = Path("/var/lib/cloudfs") if os.geteuid() == 0 else platformdirs.user_state_path("cloudfs")
    return base / "sign-ins"
