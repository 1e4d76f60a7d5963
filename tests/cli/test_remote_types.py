"""`cloudfs remote add` for every type there is: asked on a terminal, tried, and kept to ourselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.answering import answering
from tests.cli.conftest import World
from tests.emulators.hubic.accounts import CLIENT_ID, CLIENT_SECRET
from tests.emulators.running import running
from tests.emulators.ubuntuone.signin import EMAIL, PASSWORD
from tests.servers.swift import SwiftCluster
from tests.servers.swift_files import PROVIDER

BEFORE = '# mine\n[remote.disk]  # the red one\ntype = "local"\ndirectory = "/srv"\n'


def written(world: World) -> str:
    file = world.home / "config.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text()


def test_swift(world: World, swift_cluster: SwiftCluster) -> None:
    swift = swift_cluster.front()
    (world.home / "config.toml").write_text(BEFORE)
    answers = [
        ("auth_url: ", "no address"),
        ("auth_url: ", swift.auth_url),
        ("user (may be empty): ", swift.user),
        ("prints it): ", swift.key),
        ("project (may be empty): ", ""),
    ]
    status, screen = answering(world, answers, "remote", "add", "backup", "--type", "swift")
    assert (status, "an address is needed" in screen, swift.key in screen) == (0, True, False)
    assert written(world).startswith(BEFORE)
    assert f'\n[remote.backup]\ntype = "swift"\nauth_url = "{swift.auth_url}"\n' in written(world)
    assert swift.key not in world.run("remote", "show", "backup").stdout


def test_swift_with_a_wrong_key_is_not_saved(world: World, swift_cluster: SwiftCluster) -> None:
    swift = swift_cluster.front()
    settings = [f"auth_url={swift.auth_url}", f"user={swift.user}", "key=guessed"]
    done = add(world, "swift", *settings)
    assert (done.returncode, "guessed" in done.stderr, (world.home / "config.toml").read_text()) == (1, False, "")
    assert "Traceback" not in done.stderr


def test_hubic(world: World, tmp_path: Path, swift_cluster: SwiftCluster) -> None:
    """Nobody can have signed in yet, so it is saved, and says how."""
    world.environment["CLOUDFS_SIGN_IN_DIR"] = str(tmp_path / "sign-ins")
    swift = ("--swift", swift_cluster.front().auth_url, "--user", PROVIDER)
    with running("hubic", tmp_path / "hubic", 0, *swift) as service:
        answers = [
            ("client_id: ", ""),
            ("client_id: ", CLIENT_ID),
            ("prints it): ", ""),
            ("client_secret_command: ", f"echo {CLIENT_SECRET}"),
        ]
        arguments = ("remote", "add", "cloud", "--type", "hubic", "--set", f"api_url={service.url}")
        status, screen = answering(world, answers, *arguments)
    assert (status, "sign in with: cloudfs login cloud" in screen) == (0, True)
    assert f'client_secret_command = "echo {CLIENT_SECRET}"' in written(world)


def test_ubuntuone_with_the_token_of_u1sync(world: World, tmp_path: Path) -> None:
    with running("ubuntuone", tmp_path / "one") as service:
        urls = [f"{name}_url={service.url}" for name in ("api", "content", "sso")]
        granted = service.control("grant")
        done = add(world, "ubuntuone", *urls, f"oauth={granted['oauth']}", f"consumer={granted['consumer']}")
        assert (done.returncode, "cloud works: 0 B of 5 GiB used" in done.stdout) == (0, True)
        world.run("remote", "remove", "cloud")
        service.control("revoke")
        done = add(world, "ubuntuone", *urls, f"oauth={granted['oauth']}", f"consumer={granted['consumer']}")
        assert (done.returncode, "change oauth in [remote.cloud]" in done.stderr) == (1, True)
    assert "cloud" not in written(world)


def test_signing_in_with_a_password_that_is_not_shown(world: World, tmp_path: Path) -> None:
    world.environment["CLOUDFS_SIGN_IN_DIR"] = str(tmp_path / "sign-ins")
    with running("ubuntuone", tmp_path / "one") as service:
        urls = [f"{name}_url={service.url}" for name in ("api", "content", "sso")]
        assert "sign in with: cloudfs login cloud" in add(world, "ubuntuone", *urls).stdout
        answers = [("E-mail: ", EMAIL), ("Password: ", PASSWORD)]
        status, screen = answering(world, answers, "login", "cloud")
        assert (status, EMAIL in screen, PASSWORD in screen) == (0, True, False)
        assert world.run("remote", "test", "cloud").stdout == "cloud works: 0 B of 5 GiB used\n"


def test_types_where_somebody_has_to_sign_in(world: World, tmp_path: Path) -> None:
    world.environment["CLOUDFS_SIGN_IN_DIR"] = str(tmp_path / "sign-ins")
    for kind, settings in (("ubuntuone", []), ("onedrive", ["client_id=x"])):
        done = world.run("remote", "add", kind, "--type", kind, *(f"--set={each}" for each in settings))
        assert (done.returncode, f"sign in with: cloudfs login {kind}" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("kind", "settings", "complaint"),
    [
        ("swift", [], "there is no terminal to ask for what is missing: --set auth_url=..."),
        ("hubic", ["client_id=x"], "missing: --set client_secret=..."),
        ("hubic", ["client_id=x", "client_secret=s3cret", "api_url=ftp://x"], "--set api_url: an address is needed"),
        ("hubic", ["client_id=x", "client_secret=s3cret", "redirect_url=http://u:p@x"], "must not contain a user"),
        ("hubic", ["client_id=x", "client_secret=s3cret", "connections=many"], "--set connections: a number is needed"),
        ("hubic", ["client_id=x", "client_secret=s3cret", "segment_size=big"], "--set segment_size: "),
        ("hubic", ["client_id=x", "client_secret=s3cret", "client_secret_file=/x"], "two places for one secret"),
        (
            "hubic",
            ["client_id=x", "client_secret_file=relative"],
            "--set client_secret_file: the file must be absolute",
        ),
        ("ubuntuone", ["oauth=one"], "oauth is two words with a colon between them"),
        ("ubuntuone", ["signature=RSA-SHA1"], "--set signature: one of HMAC-SHA1, PLAINTEXT is needed"),
        ("ubuntuone", ["oauth_file=/no/such/file"], "cannot read /no/such/file"),
        (
            "ubuntuone",
            ["oauth=a:b", "signature=PLAINTEXT", "api_url=http://example.org"],
            "PLAINTEXT signatures need https",
        ),
        ("ftp", [], "'ftp' is not one of"),
    ],
)
def test_mistakes(world: World, kind: str, settings: list[str], complaint: str) -> None:
    done = add(world, kind, *settings)
    assert (done.returncode != 0, done.stdout, complaint in done.stderr) == (True, "", True), done.stderr
    assert ("s3cret" in done.stderr, done.stderr.count("\n")) == (False, 1)
    assert (world.home / "config.toml").read_text() == ""


def add(world: World, kind: str, *settings: str) -> subprocess.CompletedProcess[str]:
    return world.run("remote", "add", "cloud", "--type", kind, *(f"--set={each}" for each in settings))
