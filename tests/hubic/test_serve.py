"""`cloudfs serve swift-auth`, asked by the clients it is for."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cloudfs.config import Remote
from cloudfs.daemon.signing_in import Wish, sign_in
from tests.emulators.hubic.browser import agree
from tests.emulators.person import Somebody
from tests.emulators.running import Running

PASSWORD = "pass wörd"
CONTENT = b"content" * 1000
USER = {"X-Auth-User": "hubic", "X-Auth-Key": PASSWORD}


def encoded(headers: dict[str, str]) -> dict[bytes, bytes]:
    """As UTF-8, which other clients take for granted."""
    return {name.encode(): text.encode() for name, text in headers.items()}


@dataclass
class Served:
    """A running command: the address it told, and what it complains of in the end."""

    url: str
    process: subprocess.Popen[str]

    def ask(self, **headers: str) -> httpx.Response:
        """As somebody who knows the password, unless ``headers`` say something else."""
        given = {**USER, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return httpx.get(self.url, headers=encoded(given), timeout=60)

    def end(self, how: signal.Signals = signal.SIGTERM) -> str:
        """What it said on standard error."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, said
        return said


@contextlib.contextmanager
def serving(*options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "cloudfs", "serve", "swift-auth", "hubic", "--port", "0", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env={**os.environ}, **pipes) as process:  # type: ignore[call-overload]
        try:
            line = process.stdout.readline()
            assert " signs in at http" in line, process.stderr.read()
            yield Served(line.split()[-1], process)
        finally:
            process.kill()


@pytest.fixture
def protected(configured: Callable[..., Remote]) -> Remote:
    """Signed in, and with a password for others."""
    remote = configured(f'serve_password = "{PASSWORD}"\n')
    sign_in(remote, Somebody({"Address": agree}), Wish())
    return remote


@pytest.fixture
def served(protected: Remote) -> Iterator[Served]:
    with serving() as running:
        yield running


# --- clients -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_curl(served: Served) -> None:
    asked = ["-H", "X-Auth-User: hubic", "-H", f"X-Auth-Key: {PASSWORD}", served.url]
    answer = run("curl", "-sSi", "--fail", *asked)
    assert answer.splitlines()[0] == "HTTP/1.1 200 OK"
    headers = dict(line.split(": ", 1) for line in answer.splitlines()[1:] if ": " in line)
    assert headers["X-Storage-Url"].endswith("/v1/AUTH_" + "0123456789abcdef" * 2)
    assert (headers["X-Storage-Token"], headers["Cache-Control"]) == (headers["X-Auth-Token"], "no-store")
    assert 86_000 < int(headers["X-Auth-Token-Expires"]) <= 86_400
    assert run("curl", "-sSI", *asked).splitlines()[0] == "HTTP/1.1 200 OK"


def test_python_swiftclient(served: Served, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    swift = (str(Path(sys.executable).with_name("swift")), "-A", served.url, "-U", "hubic", "-K", PASSWORD)
    container = request.node.name
    run(*swift, "upload", container, "file", cwd=tmp_path)
    assert run(*swift, "list", container) == "file\n"
    run(*swift, "download", container, "file", "-o", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == CONTENT


def test_rclone(served: Served, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").write_bytes(CONTENT)
    environment = {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_HUBIC_TYPE": "swift",
        "RCLONE_CONFIG_HUBIC_AUTH": served.url,
        "RCLONE_CONFIG_HUBIC_USER": "hubic",
        "RCLONE_CONFIG_HUBIC_KEY": PASSWORD,
    }
    rclone = str(Path(sys.executable).with_name("rclone"))
    place = f"hubic:{request.node.name}/some/where"
    run(rclone, "copy", str(tmp_path / "there"), place, environment=environment)
    run(rclone, "copy", place, str(tmp_path / "back"), environment=environment)
    assert (tmp_path / "back/file").read_bytes() == CONTENT
    run(rclone, "check", "--download", str(tmp_path / "there"), place, environment=environment)


def test_a_client_whose_token_ends_signs_in_again(
    served: Served, hubic: Running, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Also before its time, which a gateway that believes ``expires`` answers with the same dead token for a day."""
    first = served.ask().headers["x-auth-token"]
    assert served.ask().headers["x-auth-token"] == first
    for kind in ("swift", "access"):
        hubic.control("expire", tokens=kind)
    answer = served.ask()
    assert answer.headers["x-auth-token"] != first
    account = httpx.get(answer.headers["x-storage-url"], headers={"X-Auth-Token": answer.headers["x-auth-token"]})
    assert account.is_success


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "complaint"),
    [
        ({"X_Auth_Key": "guessed"}, "wrong user or password"),
        ({"X_Auth_Key": ""}, "the headers X-Auth-User and X-Auth-Key are needed"),
        ({"X_Auth_Key": PASSWORD + "x"}, "wrong user or password"),
        ({"X_Auth_User": "root"}, "wrong user or password"),
    ],
)
def test_a_wrong_password(served: Served, headers: dict[str, str], complaint: str) -> None:
    answer = served.ask(**headers)
    assert (answer.status_code, answer.text.strip()) == (401, complaint)
    assert "x-auth-token" not in answer.headers
    assert PASSWORD not in served.end()


def test_no_password(served: Served) -> None:
    answer = httpx.get(served.url)
    assert (answer.status_code, "X-Auth-User and X-Auth-Key are needed" in answer.text) == (401, True)
    assert answer.headers["www-authenticate"].startswith("Swift ")


def test_other_addresses_and_methods(served: Served) -> None:
    root = served.url.removesuffix("/auth/v1.0")
    with httpx.Client(headers=encoded(USER)) as client:
        assert [client.get(f"{root}{path}").status_code for path in ("/auth/v1.0/", "/auth", "/v1.0")] == [200] * 3
        assert [client.get(f"{root}{path}").status_code for path in ("/", "/auth/v2.0", "/etc/passwd")] == [404] * 3
        assert client.post(served.url, content=b"x" * 100_000).status_code == 405


def test_what_is_no_http_ends_its_own_connection_only(served: Served) -> None:
    host, port = served.url.split("/")[2].split(":")
    for nonsense in (b"\0\1\2\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000, b""):
        with socket.create_connection((host, int(port)), timeout=30) as client, contextlib.suppress(OSError):
            client.sendall(nonsense)
            client.shutdown(socket.SHUT_WR)
            assert b"200 OK" not in client.recv(1000)
    assert served.ask().status_code == 200


def test_a_sign_in_that_ended(served: Served, protected: Remote, hubic: Running) -> None:
    for kind in ("refresh", "swift"):
        hubic.control("expire", tokens=kind)
    answer = served.ask()
    assert (answer.status_code, "cloudfs login hubic" in answer.text) == (403, True)
    sign_in(protected, Somebody({"Address": agree}), Wish())
    assert served.ask().status_code == 200


def test_a_provider_that_is_away(served: Served, hubic: Running) -> None:
    hubic.control("expire", tokens="swift")
    hubic.control("trouble", do="answer", match="credentials", times=99, status=503, headers={"Retry-After": "120"})
    answer = served.ask()
    assert (answer.status_code, int(answer.headers["retry-after"]) > 60) == (503, True)


# --- the command -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(served: Served, how: signal.Signals) -> None:
    assert served.ask().status_code == 200
    said = served.end(how)
    assert "Traceback" not in said


def test_secrets_are_in_no_log_and_no_core_file(protected: Remote) -> None:
    with serving("--debug") as served:
        limits = Path(f"/proc/{served.process.pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
        token = served.ask().headers["x-auth-token"]
        served.ask(X_Auth_Key="guessed")
        said = served.end()
    assert said
    assert [word for word in (PASSWORD, token, "guessed") if word in said] == []


def test_another_user_name(protected: Remote) -> None:
    with serving("--user", "duplicity") as served:
        assert [served.ask().status_code, served.ask(X_Auth_User="duplicity").status_code] == [401, 200]


def test_only_this_machine_may_ask_unless_told_otherwise(protected: Remote) -> None:
    with serving() as served:
        assert served.url.startswith("http://127.0.0.1:")
        assert "in clear" not in served.end()
    with serving("--listen", "0.0.0.0") as served:
        assert "pass 0.0.0.0 in clear" in served.end()


def test_without_a_password_it_does_not_start(signed_in: Remote) -> None:
    done = cloudfs("serve", "swift-auth", "hubic")
    assert (done.returncode, "serve_password is missing; give it as serve_password" in done.stderr) == (1, True)


def test_types_that_need_no_help(protected: Remote, tmp_path: Path) -> None:
    with open(tmp_path / "config.toml", "a") as file:
        file.write('[remote.swift]\ntype = "swift"\nauth_url = "http://127.0.0.1:1/auth/v1.0"\n')
    assert "swift is of type swift; this is for type hubic" in cloudfs("serve", "swift-auth", "swift").stderr
    assert "there is no remote hubik" in cloudfs("serve", "swift-auth", "hubik").stderr


def test_a_port_that_is_taken(served: Served) -> None:
    port = served.url.split("/")[2].split(":")[1]
    done = cloudfs("serve", "swift-auth", "hubic", "--port", port)
    said = f"cloudfs: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
    assert (done.returncode, done.stderr) == (1, said)


def cloudfs(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudfs", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def run(*command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    # What is in the environment for other tests, or people, is not for these clients.
    own = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "ST_", "PYTHONWARNINGS"))}
    done = subprocess.run(
        command, cwd=cwd, env={**own, **(environment or {})}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
