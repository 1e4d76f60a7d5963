"""Settings of ``type = "local"``."""

from __future__ import annotations

from cloudfs.settings.kinds import Kind, Setting, StoreType

LOCAL = StoreType(
    name="local",
    summary="A directory of this machine.",
    settings=(
        Setting(
            "directory",
            "Where the `PATH` of `NAME:PATH` begins. Without it `PATH` is an absolute directory itself.",
            Kind.DIRECTORY,
        ),
    ),
)
