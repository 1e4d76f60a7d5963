"""contrib/fstab/install.sh, as root on a machine of its own, and into a directory as those do who make packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fstab.machine import INSTALLER, ROOT, Machine

HELPERS = [f"{side}{kind}.cloudfs" for side in ("mount", "umount") for kind in ("", ".fuse")]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A cloudfs that mount(8) would not find by itself."""
    path = tmp_path / "venv/bin/cloudfs"
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\nexec env PYTHONPATH={ROOT} {sys.executable} -m cloudfs "$@"\n')
    path.chmod(0o755)
    return path


def install(root: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [INSTALLER, *arguments],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DESTDIR": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def tree(root: Path) -> dict[str, str]:
    """Every file below, with its permissions and content."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): f"{path.stat().st_mode:o} {path.read_text()}" for path in files}


def test_twice_is_once(tmp_path: Path, program: Path) -> None:
    root = tmp_path / "root"
    first = install(root, "--program", program)
    assert (first.returncode, first.stderr) == (0, "")
    installed = tree(root)
    assert {f"sbin/{name}" for name in HELPERS} <= set(installed)
    second = install(root, "--program", program)
    assert second.returncode == 0
    assert "installed" not in second.stdout
    assert tree(root) == installed


def test_uninstall_leaves_nothing(tmp_path: Path, program: Path) -> None:
    root = tmp_path / "root"
    install(root, "--program", program, "--prefix", "/opt/cloudfs")
    assert install(root, "--uninstall", "--prefix", "/opt/cloudfs").returncode == 0
    assert tree(root) == {}
    assert install(root, "--uninstall").returncode == 0


def test_what_belongs_to_somebody_else_is_left_alone(tmp_path: Path, program: Path) -> None:
    root = tmp_path / "root"
    (root / "sbin").mkdir(parents=True)
    (root / "sbin/mount.cloudfs").write_text("#!/bin/sh\n# another cloudfs\n")
    refused = install(root, "--program", program)
    assert refused.returncode == 1
    assert "is not ours; move it out of the way first" in refused.stderr
    assert "left alone, not ours" in install(root, "--uninstall").stdout
    assert list(tree(root)) == ["sbin/mount.cloudfs"]


def test_an_older_one_is_brought_up_to_date(tmp_path: Path, program: Path) -> None:
    root = tmp_path / "root"
    install(root, "--program", program)
    installed = tree(root)
    helper = root / "sbin/umount.cloudfs"
    helper.write_text(helper.read_text().replace("exec", "exec nice"))
    assert f"installed {helper}" in install(root, "--program", program).stdout
    assert tree(root) == installed


def test_the_program_is_found_again_behind_what_was_installed(tmp_path: Path, program: Path) -> None:
    root = tmp_path / "root"
    install(root, "--program", program)
    again = install(root, "--program", root / "usr/local/bin/cloudfs")
    assert again.returncode == 0
    assert f"exec '{program}'" in (root / "usr/local/bin/cloudfs").read_text()


def test_without_a_program_it_says_so(tmp_path: Path) -> None:
    done = install(tmp_path / "root", "--program", tmp_path / "none")
    assert done.returncode == 1
    assert "there is no program" in done.stderr


@pytest.mark.parametrize("arguments", [["--prefix"], ["--nonsense"], ["--prefix", "relative"]])
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    done = install(tmp_path / "root", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("install.sh: ")


def test_the_helpers_find_the_program(tmp_path: Path, program: Path) -> None:
    """Without PATH and HOME, as at boot."""
    root = tmp_path / "root"
    assert install(root, "--program", program, "--prefix", str(tmp_path / "prefix")).returncode == 0
    shutil.copytree(root / str(tmp_path / "prefix").lstrip("/"), tmp_path / "prefix")
    done = subprocess.run(
        [root / "sbin/mount.fuse.cloudfs", "local:/nowhere/at/all", "/mnt", "-o", "rw,nofail"],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "local:/nowhere/at/all: there is no directory" in done.stderr


def test_installed_and_gone_again(bare: Machine) -> None:
    assert bare.run("mount", "-t", "cloudfs", "local:/", bare.mnt).returncode != 0
    bare.install()
    options = bare.options()
    bare.succeed("mount", "-t", "cloudfs", f"local:{bare.store}", bare.mnt, "-o", options)
    bare.succeed("umount", bare.mnt)
    bare.succeed(INSTALLER, "--uninstall")
    assert bare.run("test", "-e", "/sbin/mount.cloudfs").returncode != 0
    assert bare.run("mount", "-t", "cloudfs", f"local:{bare.store}", bare.mnt, "-o", options).returncode != 0


# --- units -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        ("system", "cloudfs@backup.service"),
        ("system", "cloudfs-check@mnt-backup.service"),
        ("system", "cloudfs-check@mnt-backup.timer"),
        ("user", "cloudfs@backup.service"),
    ],
)
def test_units_are_what_systemd_understands(tmp_path: Path, program: Path, kind: str, unit: str) -> None:
    prefix = tmp_path / "prefix"
    root = tmp_path / "root"
    assert install(root, "--program", program, "--prefix", prefix).returncode == 0
    shutil.copytree(root / str(prefix).lstrip("/"), prefix)
    places = {
        "SYSTEMD_UNIT_PATH": f"{prefix}/lib/systemd/{kind}:/lib/systemd/{kind}",
        "XDG_RUNTIME_DIR": str(tmp_path),  # units of a user are for somebody who has one
    }
    done = subprocess.run(
        ["systemd-analyze", "verify", f"--{kind}", "--recursive-errors=no", "--man=no", unit],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_scripts_are_clean() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck here")
    scripts = [INSTALLER, *INSTALLER.parent.glob("*mount.cloudfs")]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
