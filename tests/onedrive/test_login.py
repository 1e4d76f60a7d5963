"""`cloudfs login` at OneDrive: a page for any machine's browser, or a code to type; and what is kept of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from cloudfs.auth.homes import token_home
from cloudfs.auth.microsoft import application, graph_url
from cloudfs.auth.tokens import Token
from cloudfs.config import Remote
from cloudfs.daemon.signing_in import Wish, choose_drive, is_signed_in, known_drives, sign_in, sign_out
from cloudfs.daemon.trial import try_remote
from cloudfs.errors import AccessDenied, SignInRequired, UsageError
from tests.emulators.onedrive.browser import agree, type_code
from tests.emulators.onedrive.signin import CLIENT_ID
from tests.emulators.person import Somebody
from tests.emulators.running import Running
from tests.stores.onedrive import Account


class Typist(Somebody):
    """Somebody who types a device code as soon as it is told."""

    def tell(self, text: str) -> None:
        super().tell(text)
        found = re.search(r"enter the code (\S+)", text)
        if found:
            type_code(self.page, found[1])


def kept(remote: Remote) -> Token:
    found = trio.run(token_home(remote).load)
    assert found is not None
    return found


# --- pasted redirect -------------------------------------------------------------------------------------------------


def test_it_tells_whose_account_it_is(remote: Remote) -> None:
    somebody = Somebody({"Address": agree})
    assert sign_in(remote, somebody, Wish()) == "someone@example.com"
    assert somebody.asked == [("Address", False)]
    assert try_remote(remote).total == 5 << 40


def test_the_page_asks_for_no_more_than_files_and_proves_that_the_answer_is_ours(remote: Remote) -> None:
    somebody = Somebody({"Address": agree})
    sign_in(remote, somebody, Wish())
    query = parse_qs(urlsplit(somebody.page).query)
    assert query["client_id"] == [CLIENT_ID]
    assert query["scope"] == ["Files.ReadWrite.All offline_access"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["state"][0]) >= 22
    other = Somebody({"Address": agree})
    sign_in(remote, other, Wish())
    again = parse_qs(urlsplit(other.page).query)
    assert again["state"] != query["state"]
    assert again["code_challenge"] != query["code_challenge"]


def stolen(page: str) -> str:
    """An answer to a request of somebody else, with the state of ours: only PKCE tells."""
    return agree(re.sub("code_challenge=[^&]+", "code_challenge=" + "x" * 43, page))


@pytest.mark.parametrize(
    ("paste", "complaint"),
    [
        (lambda page: agree(page).replace("state=", "state=x"), "belongs to another sign-in"),
        (lambda page: agree(page).partition("&state")[0], "belongs to another sign-in"),
        (lambda page: "https://login.microsoftonline.com/common/oauth2/nativeclient", "no code in it"),
        (lambda page: agree(page.replace("response_type=code", "response_type=token")), "was refused: the request"),
        (lambda page: agree(page).replace("code=", "code=0"), "AADSTS70000"),
        (stolen, "AADSTS501481"),
    ],
)
def test_addresses_that_are_no_answer(remote: Remote, paste: Callable[[str], str], complaint: str) -> None:
    with pytest.raises((UsageError, SignInRequired), match=complaint):
        sign_in(remote, Somebody({"Address": paste}), Wish())
    assert not is_signed_in(remote)


def test_nobody_is_there(remote: Remote) -> None:
    with pytest.raises(UsageError, match="nobody is signed in"):
        sign_in(remote, Somebody({}), Wish())


# --- device code -----------------------------------------------------------------------------------------------------


@pytest.fixture
def work(onedrive: Running, configured: Callable[..., Remote]) -> Remote:
    """The remote of a work account, where there are device codes."""
    return configured(Account.make(onedrive, "business"))


def test_a_work_account_types_a_code(work: Remote) -> None:
    typist = Typist({})
    assert sign_in(work, typist, Wish()) == "someone@example.com"
    assert typist.asked == []


def test_a_code_that_is_declined(work: Remote, onedrive: Running) -> None:
    class Decliner(Somebody):
        def tell(self, text: str) -> None:
            onedrive.control("approve", decline=True)

    with pytest.raises(SignInRequired, match="AADSTS70017"):
        sign_in(work, Decliner({}), Wish())
    assert not is_signed_in(work)


def test_where_codes_are_not_allowed_it_goes_on_with_the_page(work: Remote, onedrive: Running) -> None:
    onedrive.control("policy", device_code=False)
    somebody = Somebody({"Address": agree})
    sign_in(work, somebody, Wish())
    assert "There is no code for this account" in somebody.told
    with pytest.raises(AccessDenied, match="AADSTS70002"):
        sign_in(work, somebody, Wish(device=True))


# --- applications and clouds -----------------------------------------------------------------------------------------


def test_a_confidential_application_shows_its_secret(
    account: Account, onedrive: Running, configured: Callable[..., Remote]
) -> None:
    onedrive.control("policy", secret="s3cret")
    with pytest.raises(SignInRequired, match="AADSTS7000215"):
        sign_in(configured(account), Somebody({"Address": agree}), Wish())
    sign_in(configured(account, 'client_secret = "s3cret"\n'), Somebody({"Address": agree}), Wish())


def test_a_public_application_must_not_have_one(account: Account, configured: Callable[..., Remote]) -> None:
    with pytest.raises(SignInRequired, match="AADSTS90023"):
        sign_in(configured(account, 'client_secret = "s3cret"\n'), Somebody({"Address": agree}), Wish())


@pytest.mark.parametrize(
    ("cloud", "login", "graph"),
    [
        ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0"),
        ("us", "https://login.microsoftonline.us", "https://graph.microsoft.us/v1.0"),
        ("us-dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us/v1.0"),
        ("china", "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn/v1.0"),
        ("germany", "https://login.microsoftonline.de", "https://graph.microsoft.de/v1.0"),
    ],
)
def test_each_cloud_has_its_own_addresses(remote: Remote, cloud: str, login: str, graph: str) -> None:
    settings = {"client_id": CLIENT_ID, "tenant": "contoso.example", "cloud": cloud}
    there = Remote(remote.name, remote.type, settings)
    assert graph_url(there) == graph
    assert application(there).token_url == f"{login}/contoso.example/oauth2/v2.0/token"


# --- drives ----------------------------------------------------------------------------------------------------------


def test_the_drives_of_an_account_and_another_one_of_them(onedrive: Running, configured: Callable[..., Remote]) -> None:
    library = Account.make(onedrive, "documentLibrary")
    remote = configured(Account(onedrive, "business", library.facts))
    sign_in(remote, Somebody({"Address": agree}), Wish(device=False))
    own, team = known_drives(remote)
    assert (own.kind, own.place, own.id) == ("business", "your own", library.facts["drive"])
    assert (team.kind, team.place, team.id) == ("documentLibrary", "Team", library.facts["libraries"][0])
    assert choose_drive(remote, team.id.lower()) == team
    assert kept(remote).facts["drive"] == team.id
    sign_in(remote, Somebody({"Address": agree}), Wish(device=False))
    assert kept(remote).facts["drive"] == team.id, "a repaired sign-in is for the same drive"
    with pytest.raises(UsageError, match="no drive b!nothing"):
        choose_drive(remote, "b!nothing")


def test_a_personal_account_has_one(signed_in: Remote) -> None:
    (drive,) = known_drives(signed_in)
    assert (drive.kind, drive.total) == ("personal", 5 << 40)


# --- what is kept, and what is not said ------------------------------------------------------------------------------


def test_the_sign_in_is_for_our_eyes_only(signed_in: Remote, tmp_path: Path) -> None:
    (file,) = (tmp_path / "sign-ins").glob("*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "sign-ins").stat().st_mode & 0o777 == 0o700


def test_no_log_ever_has_a_token(remote: Remote, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    somebody = Somebody({"Address": agree})  # whose browser logs as well
    sign_in(remote, somebody, Wish())
    try_remote(remote)
    token = kept(remote)
    code = parse_qs(urlsplit(agree(somebody.page)).query)["code"][0]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("cloudfs")]
    said = "\n".join(ours) + somebody.told + repr(token) + repr(application(remote))
    for secret in (token.access, token.refresh, code):
        assert secret not in said


def test_after_signing_out_nothing_is_left(signed_in: Remote, tmp_path: Path) -> None:
    secret = kept(signed_in).refresh
    sign_out(signed_in)
    assert not is_signed_in(signed_in)
    left = [file for file in (tmp_path / "sign-ins").rglob("*") if file.is_file()]
    assert all(secret not in file.read_text() for file in left)
    assert all(file.stat().st_size == 0 for file in left)
    with pytest.raises(SignInRequired, match="cloudfs login onedrive"):
        try_remote(signed_in)
