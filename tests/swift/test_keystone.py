"""Signing in with Keystone, in every way that providers tell their users to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from cloudfs.config import Remote, parse_config
from cloudfs.errors import SignInRequired, UsageError
from cloudfs.stores.swift.opening import try_swift
from tests.emulators.keystone.app import (
    CREDENTIAL,
    CREDENTIAL_ID,
    CREDENTIAL_SECRET,
    DOMAIN,
    DOMAIN_ID,
    NAME,
    PASSWORD,
    PROJECT,
    PROJECT_DOMAIN,
    PROJECT_ID,
    REGION,
    USER_ID,
    stanza,
)
from tests.emulators.running import Running, running
from tests.mount.driver import Mount
from tests.servers.swift import SwiftCluster

Settings = dict[str, str]
PERSON = {"user": NAME, "key": PASSWORD, "user_domain": DOMAIN}
IN_PROJECT = {"project": PROJECT, "project_domain": PROJECT_DOMAIN}
THERE = {"region": REGION}
USUAL = {**PERSON, **IN_PROJECT, **THERE}
WAYS: dict[str, tuple[str, Settings]] = {
    "by name": ("/v3", USUAL),
    "without a version": ("", USUAL),
    "with a slash": ("/v3/", USUAL),
    "by id": ("/v3", {"user_id": USER_ID, "key": PASSWORD, "project_id": PROJECT_ID, **THERE}),
    "domain by id": ("/v3", {**USUAL, "user_domain": DOMAIN_ID}),
    "interface": ("/v3", {**USUAL, "interface": "internal"}),
    "credential": ("/v3", {"application_credential_id": CREDENTIAL_ID, "key": CREDENTIAL_SECRET, **THERE}),
    "credential by name": (
        "/v3",
        {"application_credential_name": CREDENTIAL, "key": CREDENTIAL_SECRET, "user_id": USER_ID, **THERE},
    ),
    "v2": ("/v2.0", {"user": NAME, "key": PASSWORD, "project": PROJECT, **THERE}),
    "v2 by id": ("/v2.0", {"user": NAME, "key": PASSWORD, "project_id": PROJECT_ID, **THERE}),
    "clouds.yaml": (
        "/v3",
        {
            "username": NAME,
            "password": PASSWORD,
            "user_domain_name": DOMAIN,
            "project_name": PROJECT,
            "project_domain_name": PROJECT_DOMAIN,
            "region_name": REGION,
        },
    ),
    "clouds.yaml with a credential": (
        "/v3",
        {
            "application_credential_id": CREDENTIAL_ID,
            "application_credential_secret": CREDENTIAL_SECRET,
            "region_name": REGION,
        },
    ),
}
OPENRC = {
    "OS_USERNAME": NAME,
    "OS_PASSWORD": PASSWORD,
    "OS_USER_DOMAIN_NAME": DOMAIN,
    "OS_PROJECT_NAME": PROJECT,
    "OS_PROJECT_DOMAIN_NAME": PROJECT_DOMAIN,
    "OS_REGION_NAME": REGION,
}


@pytest.fixture(scope="module")
def keystone(swift_cluster: SwiftCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("keystone")
    with running("keystone", state, 0, "--swift", swift_cluster.front().auth_url) as emulator:
        yield emulator


def remote(**settings: str) -> Remote:
    lines = "".join(f'{key} = "{value}"\n' for key, value in settings.items())
    return parse_config(Path("config.toml"), f'[remote.r]\ntype = "swift"\n{lines}').remotes["r"]


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_sign_in(keystone: Running, way: str) -> None:
    path, settings = WAYS[way]
    assert trio.run(try_swift, remote(auth_url=keystone.url + path, **settings)).used >= 0


def test_from_the_environment(keystone: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"OS_AUTH_URL": f"{keystone.url}/v3", **OPENRC}.items():
        monkeypatch.setenv(name, value)
    assert trio.run(try_swift, remote()).used >= 0


def test_tempauth_from_the_environment(swift_cluster: SwiftCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    swift = swift_cluster.front()
    for name, value in {"ST_AUTH": swift.auth_url, "ST_USER": swift.user, "ST_KEY": swift.key}.items():
        monkeypatch.setenv(name, value)
    assert trio.run(try_swift, remote()).used >= 0


@pytest.mark.parametrize("wrong", [{"key": "guessed"}, {"user": "bob"}, {"project": "another"}])
@pytest.mark.parametrize("path", ["/v3", "/v2.0"])
def test_wrong_credentials(keystone: Running, wrong: Settings, path: str) -> None:
    with pytest.raises(SignInRequired, match="does not accept"):
        trio.run(try_swift, remote(auth_url=keystone.url + path, **{**USUAL, **wrong}))


def test_a_user_of_another_domain(keystone: Running) -> None:
    with pytest.raises(SignInRequired, match="does not accept"):
        trio.run(try_swift, remote(auth_url=f"{keystone.url}/v3", **{**USUAL, "user_domain": "elsewhere"}))


def test_a_region_that_there_is_not(keystone: Running) -> None:
    with pytest.raises(UsageError, match=r"no object storage in region west; there is north, south"):
        trio.run(try_swift, remote(auth_url=f"{keystone.url}/v3", **{**USUAL, "region": "west"}))


def test_one_setting_by_two_names() -> None:
    with pytest.raises(UsageError, match="user and username are two places for one setting"):
        remote(auth_url="http://127.0.0.1:9/v3", user=NAME, username=NAME)


def test_a_mount_signs_in_again(
    keystone: Running, swift_cluster: SwiftCluster, mount_with: Callable[..., Mount], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.touch(0o600)
    config.write_text(stanza(keystone.url))
    mount = mount_with(source="keystone:by-keystone", environment={"CLOUDFS_CONFIG": str(config)})
    (mount.path / "one").write_bytes(b"one")
    mount.wait()
    before = keystone.control("asked", "GET")
    swift_cluster.forget_tokens()
    (mount.path / "two").write_bytes(b"two")
    mount.umount()
    assert keystone.control("asked", "GET") == before + 1
    mount.forget_everything()
    mount.start()
    assert (mount.path / "two").read_bytes() == b"two"
