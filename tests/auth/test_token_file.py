"""Where a sign-in is kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cloudfs.auth.token_file import TokenFile
from cloudfs.auth.tokens import Token
from cloudfs.errors import SignInRequired


async def test_it_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "sign-ins/x.json"
    home = TokenFile(file)
    before = os.umask(0)
    try:
        await home.save(Token("hush", "hush", 5.0))
        async with home.locked():
            pass
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (file.parent, *file.parent.iterdir())}
    assert modes == {"sign-ins": 0o700, "x.json": 0o600, "x.json.lock": 0o600}
    assert await home.load() == Token("hush", "hush", 5.0)
    file.chmod(0o644)
    with pytest.raises(SignInRequired, match="others may read"):
        await home.load()
