"""The configuration of an all-in-one OpenStack Swift: four servers on loopback, one device, no daemons."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

ACCOUNT, USER, KEY = "test", "tester", "testing"
PROVIDER = "provider:tester"
"""Account and user for a service in front of Swift, which counts what it holds. (It has the same key.)"""
OPTIONAL = ("bulk", "slo", "dlo", "symlink", "copy", "prompt")
"""Middlewares that a provider may not have. Without ``prompt`` its listings may lag (`swift_filters`)."""
_PIPELINE = (
    "catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl ratelimit tempauth copy "
    "container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server"
)
_PATIENT = "conn_timeout = 30\nnode_timeout = 60\n"
"""Nothing is lost but time when a busy machine answers late. Swift would give up, and put off what has to be done."""
_FILTERS = {
    "listing_formats": "listing_formats",
    "tempurl": "tempurl",
    "ratelimit": "ratelimit",
    "copy": "copy",
    "container-quotas": "container_quotas",
    "account-quotas": "account_quotas",
    "slo": "slo",
    "dlo": "dlo",
    "versioned_writes": "versioned_writes",
    "symlink": "symlink",
    "bulk": "bulk",
    "catch_errors": "catch_errors",
    "gatekeeper": "gatekeeper",
    "healthcheck": "healthcheck",
    "proxy-logging": "proxy_logging",
}


@dataclass(frozen=True)
class Extras:
    """What most tests have no use for."""

    s3: bool = False
    """Amazon's protocol as well, with the same user and key."""
    counted: bool = False
    """Tells what clients asked for (`tests.servers.swift_counter`)."""


PLAIN = Extras()


@dataclass(frozen=True)
class Ports:
    account: int
    container: int
    object: int
    memcached: int


def write_common(directory: Path) -> None:
    (directory / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n"
        "[storage-policy:0]\nname = gold\ndefault = yes\n"
    )


def back_end(kind: str, directory: Path, devices: Path, port: int, user: str) -> str:
    """The configuration of an account, container or object server."""
    return (
        f"{_default(directory, port, user)}devices = {devices}\nmount_check = false\ndisable_fallocate = true\n"
        f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n{_PATIENT}"
        # An object is in the listing before whoever stored it hears of it: nobody here would put it there later.
        f"{'container_update_timeout = 60' if kind == 'object' else ''}\n"
    )


def front_end(directory: Path, port: int, memcached: int, user: str, without: Collection[str], extras: Extras) -> str:
    """The configuration of a proxy server without some of `OPTIONAL`."""
    pipeline = " ".join(name for name in _PIPELINE.split() if name not in without)
    filters = "".join(f"[filter:{name}]\nuse = egg:swift#{egg}\n" for name, egg in _FILTERS.items())
    if "prompt" in without:
        pipeline = pipeline.replace("tempauth", "tempauth lag", 1)
        filters += "[filter:lag]\npaste.filter_factory = tests.servers.swift_filters:lagging_listings\n"
    if "dlo" in without:
        pipeline = pipeline.replace("tempauth", "no-dlo tempauth")
        filters += "[filter:no-dlo]\npaste.filter_factory = tests.servers.swift_filters:without_dynamic_large_objects\n"
    if extras.counted:
        pipeline = f"counter {pipeline}"
        filters += "[filter:counter]\npaste.filter_factory = tests.servers.swift_counter:filter_factory\n"
    if extras.s3:
        pipeline = pipeline.replace("tempauth", "s3api tempauth")
        filters += "[filter:s3api]\nuse = egg:swift#s3api\n"
    return (
        f"{_default(directory, port, user)}[pipeline:main]\npipeline = {pipeline}\n"
        f"[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n{_PATIENT}"
        # With one node, a single error of a back end would make everything answer 503 for a minute.
        "error_suppression_interval = 0\n"
        # Without tokens nobody is let in: on a busy machine they must not be given up for a minute.
        f"[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:{memcached}\n"
        "memcache_max_connections = 64\nconnect_timeout = 10\npool_timeout = 10\nio_timeout = 10\n"
        "error_suppression_limit = 1000000\n"
        f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_{ACCOUNT}_{USER} = {KEY} .admin\n"
        f"user_{ACCOUNT}_reader = {KEY}\nuser_{PROVIDER.replace(':', '_')} = {KEY} .admin\n{filters}"
    )


def _default(directory: Path, port: int, user: str) -> str:
    return (
        f"[DEFAULT]\nswift_dir = {directory}\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = {user}\n"
        "log_address = /dev/null\nlog_level = WARNING\n"
    )
