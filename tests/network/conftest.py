"""A mount of a real Swift, behind a network that can be made as bad as a test needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fstab.conftest import bare, here
from tests.mount.conftest import mount_with
from tests.mount.driver import Mount
from tests.servers.proxy import Proxy
from tests.servers.swift import SwiftCluster
from tests.stores.swift import Box
from tests.swift.site import Site

__all__ = ["bare", "here", "mount_with"]


@dataclass(frozen=True)
class Far:
    """A container far away: ``proxy`` is the network between it and the mounts that `mount` makes."""

    site: Site
    proxy: Proxy

    def mount(self, *options: str, settings: tuple[str, ...] = ('segment_size = "1MiB"',)) -> Mount:
        return self.site.mount(*options, settings=settings, swift=self.site.box.swift.at(self.proxy.url))

    def stored(self, path: str) -> bytes:
        """The object of a path, asked for without the proxy."""
        with self.site.raw() as raw:
            return raw("GET", self.site.name(path)).content

    def names(self) -> list[str]:
        """Of the objects there are, without the prefix of the mount."""
        with self.site.raw() as raw:
            return [name.removeprefix(self.site.name("")) for name in raw.names()]


@pytest.fixture
def far(swift_cluster: SwiftCluster, mount_with: Callable[..., Mount], tmp_path: Path) -> Iterator[Far]:
    box = Box.make(swift_cluster)
    with Proxy(box.swift.address, seed=7) as proxy:
        yield Far(Site(box, mount_with, tmp_path), proxy)
        proxy.mischief()
        proxy.bandwidth = None
        proxy.online()
