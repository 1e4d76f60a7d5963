"""The mounts of ``tests/mount``, to be compared with a model."""

from tests.mount.conftest import mount, mount_with

__all__ = ["mount", "mount_with"]
