"""s3fs, which most people mount buckets with, on the S3 side of the same Swift server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks import bare
from benchmarks.systems import Mounted, driver, run
from tests.servers.swift import Swift


class S3fs:
    """With the options its manual has for servers that are not Amazon's, and as many requests as the others.

    It stores a file before ``close`` returns, so there is nothing to wait for.
    """

    name = "s3fs"

    @contextlib.contextmanager
    def mounted(self, swift: Swift, container: str, place: Path) -> Iterator[Mounted]:
        mountpoint = place / "mount"
        mountpoint.mkdir(parents=True, exist_ok=True)
        bare.make_container(bare.Account(swift), container)
        environment = {**os.environ, "AWSACCESSKEYID": swift.user, "AWSSECRETACCESSKEY": swift.key}
        options = f"url={swift.url},use_path_request_style,endpoint=us-east-1,parallel_count=16,enable_noobj_cache"
        with driver(["s3fs", container, str(mountpoint), "-f", "-o", options], mountpoint, environment) as pid:
            yield Mounted(mountpoint, pid)
            run(["umount", str(mountpoint)])
