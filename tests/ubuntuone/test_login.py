"""`cloudfs login` at Ubuntu One: by Ubuntu SSO, or with the token that u1sync had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cloudfs.config import Remote
from cloudfs.daemon.signing_in import Wish, is_signed_in, sign_in, sign_out
from cloudfs.daemon.trial import try_remote
from cloudfs.errors import SignInRequired, UsageError
from tests.emulators.person import Somebody
from tests.emulators.running import Running
from tests.emulators.ubuntuone.signin import EMAIL, OTP, PASSWORD

ANN = {"E-mail": EMAIL, "Password": PASSWORD}
TOKEN = "TOKEN:SECRET, as u1sync --oauth took it"


def test_by_e_mail_and_password(remote: Remote, tmp_path: Path) -> None:
    somebody = Somebody(ANN)
    assert sign_in(remote, somebody, Wish()) == EMAIL
    assert somebody.asked == [("E-mail", False), ("Password", True)]
    (file,) = (tmp_path / "sign-ins").glob("*.json")
    assert (file.stat().st_mode & 0o777, PASSWORD in file.read_text()) == (0o600, False)
    assert try_remote(remote).used == 0


def test_with_a_second_factor(remote: Remote, service: Running) -> None:
    service.control("habits", two_factors=True)
    somebody = Somebody({**ANN, "One-time password": OTP})
    assert sign_in(remote, somebody, Wish()) == EMAIL
    assert ("One-time password", False) in somebody.asked


def test_by_the_sso_before_whose_tokens_have_to_be_announced(remote: Remote, service: Running) -> None:
    service.control("habits", has_v2=False)
    assert sign_in(remote, Somebody(ANN), Wish()) == EMAIL
    assert try_remote(remote).used == 0


@pytest.mark.parametrize("has_v2", [True, False])
def test_a_wrong_password(remote: Remote, service: Running, has_v2: bool) -> None:
    service.control("habits", has_v2=has_v2)
    with pytest.raises(SignInRequired, match=r"invalid credentials|wrong e-mail or password"):
        sign_in(remote, Somebody({**ANN, "Password": "guessed"}), Wish())
    assert not is_signed_in(remote)


def test_a_wrong_one_time_password(remote: Remote, service: Running) -> None:
    service.control("habits", two_factors=True)
    with pytest.raises(SignInRequired, match="twofactor failure"):
        sign_in(remote, Somebody({**ANN, "One-time password": "000000"}), Wish())


@pytest.mark.parametrize(
    "form", ["{token}:{secret}", " {token}:{secret}\n", "oauth_token={token}&oauth_token_secret={secret}"]
)
def test_with_the_token_of_u1sync(configured: Callable[..., Remote], service: Running, form: str) -> None:
    granted = service.control("grant")
    remote = configured(f'consumer = "{granted["consumer"]}"\n')
    token, secret = granted["oauth"].split(":")
    somebody = Somebody({TOKEN: form.format(token=token, secret=secret)})
    assert sign_in(remote, somebody, Wish(token=True)) == "Ann"
    assert somebody.asked == [(TOKEN, True)]
    assert try_remote(remote).used == 0


def test_a_token_that_was_revoked_is_not_kept(configured: Callable[..., Remote], service: Running) -> None:
    granted = service.control("grant")
    service.control("revoke")
    remote = configured(f'consumer = "{granted["consumer"]}"\n')
    with pytest.raises(SignInRequired):
        sign_in(remote, Somebody({TOKEN: granted["oauth"]}), Wish(token=True))
    assert not is_signed_in(remote)


@pytest.mark.parametrize("pasted", ["", "one", "one:", ":two"])
def test_what_is_no_token(remote: Remote, pasted: str) -> None:
    with pytest.raises(UsageError, match="two words with a colon"):
        sign_in(remote, Somebody({TOKEN: pasted}), Wish(token=True))


def test_a_token_in_the_configuration_needs_no_sign_in(configured: Callable[..., Remote], service: Running) -> None:
    granted = service.control("grant")
    remote = configured(f'oauth = "{granted["oauth"]}"\nconsumer = "{granted["consumer"]}"\n')
    with pytest.raises(UsageError, match="the configuration has a token"):
        sign_in(remote, Somebody({}), Wish())
    assert try_remote(remote).used == 0


def test_signing_out(remote: Remote) -> None:
    sign_in(remote, Somebody(ANN), Wish())
    sign_out(remote)
    with pytest.raises(SignInRequired, match="nobody is signed in; run: cloudfs login one"):
        try_remote(remote)
