"""What cloudfs is for: a backup by tar, rsync and git, and the same tree after everything but the store is lost."""

from __future__ import annotations

from pathlib import Path

from tests.mount.driver import Mount
from tests.mount.programs import run, shell
from tests.mount.tree import difference, look, plant


def backup_and_restore(mount: Mount, tree: Path, *, files: int = 20) -> None:
    """``tree`` is made; ``mount`` is mounted before and afterwards, of a source that has nothing in it yet."""
    tree.mkdir()
    plant(tree, files=files)
    run("rsync", "-aH", f"{tree}/", f"{mount.path}/rsync/")
    shell('mkdir "$2/tar" && tar -C "$1" -cf - . | tar -C "$2/tar" -xpf -', tree, tree, mount.path)
    shell("git init -q . && echo one > file && git add . && git commit -qm one", _made(mount.path / "git"))
    before = {name: look(mount.path / name) for name in ("rsync", "tar", "git")}
    mount.umount()
    mount.forget_everything()
    mount.start()
    for name in ("rsync", "tar"):
        changes = run("rsync", "-aHn", "--itemize-changes", "--delete", f"{tree}/", f"{mount.path}/{name}/")
        assert changes == "", changes
    for name, was in {**before, "rsync": look(tree)}.items():
        wrong = difference(was, look(mount.path / name))
        assert wrong == [], wrong
    assert run("git", "fsck", "--strict", cwd=mount.path / "git") == ""
    assert run("git", "status", "--short", cwd=mount.path / "git") == ""


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
