"""`cloudfs login` at hubiC: a page for any machine's browser, and the address where it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from cloudfs.config import Remote
from cloudfs.daemon.signing_in import Wish, is_signed_in, sign_in, sign_out
from cloudfs.daemon.trial import try_remote
from cloudfs.errors import AccessDenied, SignInRequired, UsageError
from cloudfs.settings.secret import Secret
from tests.emulators.hubic.accounts import CLIENT_SECRET, LOGIN
from tests.emulators.hubic.browser import agree, redirected, refuse
from tests.emulators.person import Somebody


def test_it_tells_whose_account_it_is(remote: Remote) -> None:
    somebody = Somebody({"Address": agree})
    assert sign_in(remote, somebody, Wish()) == LOGIN
    assert somebody.asked == [("Address", False)]
    assert try_remote(remote).total == 25_000_000_000


def test_the_page_has_the_parameters_that_hubic_knew_and_no_others(remote: Remote) -> None:
    somebody = Somebody({"Address": agree})
    sign_in(remote, somebody, Wish())
    assert set(parse_qs(urlsplit(somebody.page).query)) == {
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    }


def test_the_sign_in_is_kept_for_our_eyes_only(signed_in: Remote, tmp_path: Path) -> None:
    (file,) = (tmp_path / "sign-ins").glob("*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert CLIENT_SECRET not in file.read_text()


@pytest.mark.parametrize(
    ("paste", "complaint"),
    [
        (refuse, "the sign-in was refused: the user refused"),
        (lambda page: agree(page).replace("state=", "state=x"), "belongs to another sign-in"),
        (lambda page: "http://localhost:53682/", "no code in it"),
        (lambda page: agree(page).replace("code=", "code=0"), "invalid code"),
    ],
)
def test_addresses_that_are_no_answer(remote: Remote, paste: Callable[[str], str], complaint: str) -> None:
    with pytest.raises((UsageError, SignInRequired), match=complaint):
        sign_in(remote, Somebody({"Address": paste}), Wish())
    assert not is_signed_in(remote)


def test_an_owner_who_does_not_let_us_into_the_storage(remote: Remote) -> None:
    with pytest.raises(AccessDenied, match="does not allow to ask for credentials"):
        sign_in(remote, Somebody({"Address": lambda page: agree(page, scopes="usage,account")}), Wish())


def test_an_owner_who_does_not_tell_their_name_and_quota(remote: Remote) -> None:
    somebody = Somebody({"Address": lambda page: agree(page, scopes="credentials")})
    assert sign_in(remote, somebody, Wish()) == ""
    assert try_remote(remote).total is None


def test_a_new_sign_in_ends_the_one_before(signed_in: Remote) -> None:
    sign_in(signed_in, Somebody({"Address": agree}), Wish())
    try_remote(signed_in)


def test_an_application_that_is_not_known(remote: Remote) -> None:
    other = Remote(remote.name, remote.type, {**remote.settings, "client_id": "api_hubic_other"})
    with pytest.raises(UsageError, match="the sign-in was refused: unknown client or redirection"):
        sign_in(other, Somebody({"Address": redirected}), Wish())


def test_a_secret_that_is_not_the_application_s(remote: Remote) -> None:
    other = Remote(remote.name, remote.type, {**remote.settings, "client_secret": Secret("guessed")})
    with pytest.raises(SignInRequired, match="unknown client or wrong secret"):
        sign_in(other, Somebody({"Address": agree}), Wish())


def test_signing_out(signed_in: Remote) -> None:
    sign_out(signed_in)
    with pytest.raises(SignInRequired, match="nobody is signed in; run: cloudfs login hubic"):
        try_remote(signed_in)


def test_there_is_no_token_to_paste(remote: Remote) -> None:
    with pytest.raises(UsageError, match="no tokens to paste"):
        sign_in(remote, Somebody({}), Wish(token=True))
