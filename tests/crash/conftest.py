"""The mounts of ``tests/mount``, to be killed."""

from tests.mount.conftest import mount, mount_with

__all__ = ["mount", "mount_with"]
