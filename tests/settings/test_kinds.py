from __future__ import annotations

import pytest

from cloudfs.config import Remote
from cloudfs.errors import UsageError
from cloudfs.settings import types
from cloudfs.settings.kinds import Kind, Setting, StoreType
from cloudfs.settings.secret import Secret
from cloudfs.settings.types import STORE_TYPES


def of(kind: Kind, **others: object) -> Setting:
    return Setting("x", "What it is.", kind, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "given", "used"),
    [
        (Kind.TEXT, "", ""),
        (Kind.NUMBER, 7, 7),
        (Kind.SIZE, "64MiB", 64 << 20),
        (Kind.SIZE, 4096, 4096),
        (Kind.DURATION, "1m30s", 90.0),
        (Kind.DURATION, 2, 2.0),
        (Kind.DURATION, 0.5, 0.5),
        (Kind.SWITCH, True, True),
        (Kind.DIRECTORY, "/srv", "/srv"),
        (Kind.URL, "http://127.0.0.1:80/v1", "http://127.0.0.1:80/v1"),
        (Kind.SECRET, "hush", Secret("hush")),
    ],
)
def test_what_the_file_says_as_it_is_used(kind: Kind, given: object, used: object) -> None:
    assert of(kind).check("x", given) == used


@pytest.mark.parametrize(
    ("kind", "given", "complaint"),
    [
        (Kind.TEXT, 7, "a text in quotes"),
        (Kind.NUMBER, "7", "a number"),
        (Kind.NUMBER, True, "a number"),
        (Kind.SIZE, "7 apples", "a size is"),
        (Kind.SIZE, True, "a size is"),
        (Kind.SIZE, -1, "a size is"),
        (Kind.DURATION, "soon", "a time is"),
        (Kind.DURATION, False, "a time is"),
        (Kind.SWITCH, "true", "true or false"),
        (Kind.DIRECTORY, "srv", "must be absolute"),
        (Kind.URL, "example.com", "an address is needed"),
        (Kind.URL, "ftp://example.com", "an address is needed"),
        (Kind.URL, "https://ann:hush@example.com", "must not contain a user"),
        (Kind.SECRET, 7, "a text in quotes"),
    ],
)
def test_what_is_wrong(kind: Kind, given: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        of(kind).check("x", given)
    assert "hush" not in str(caught.value)


def test_choices_are_all_there_is() -> None:
    setting = of(Kind.TEXT, choices=("a", "b"))
    assert setting.check("x", "a") == "a"
    with pytest.raises(ValueError, match="one of a, b is needed"):
        setting.check("x", "c")


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        (Kind.TEXT, "7", "7"),
        (Kind.NUMBER, "7", 7),
        (Kind.SIZE, "64MiB", "64MiB"),
        (Kind.SWITCH, "yes", True),
        (Kind.SWITCH, "False", False),
        (Kind.SECRET, "hush", "hush"),
    ],
)
def test_what_is_typed_as_it_stands_in_the_file(kind: Kind, typed: str, kept: object) -> None:
    assert of(kind).parse("x", typed) == kept


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.SWITCH, Kind.SIZE])
def test_what_is_typed_wrong(kind: Kind) -> None:
    with pytest.raises(ValueError, match=r"needed|a size is"):
        of(kind).parse("x", "apples")


class TestSecrets:
    def test_they_have_three_keys(self) -> None:
        assert of(Kind.SECRET).keys == ("x", "x_file", "x_command")
        assert of(Kind.TEXT).keys == ("x",)

    @pytest.mark.parametrize(("key", "text"), [("x_file", "/k"), ("x_file", "~/k"), ("x_command", "pass show k")])
    def test_where_they_are(self, key: str, text: str) -> None:
        assert of(Kind.SECRET).check(key, text) == text

    @pytest.mark.parametrize(("key", "text"), [("x_file", "k"), ("x_file", ""), ("x_command", " ")])
    def test_where_nothing_is(self, key: str, text: str) -> None:
        with pytest.raises(ValueError, match=r"must be absolute|it is empty"):
            of(Kind.SECRET).check(key, text)


class TestValuesOfARemote:
    CLOUD = StoreType(
        "cloud",
        "A cloud.",
        (
            Setting("auth_url", "Where.", Kind.URL, required=True, environment=("CLOUD_URL", "OLD_URL")),
            Setting("region", "Which."),
            Setting("segment_size", "How much.", Kind.SIZE, default=64 << 20),
            Setting("timeout", "How long.", Kind.DURATION, default=30),
            Setting("strict", "Whether.", Kind.SWITCH),
        ),
    )

    @pytest.fixture(autouse=True)
    def _types(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(types.STORE_TYPES, "cloud", self.CLOUD)
        for variable in ("CLOUD_URL", "OLD_URL"):
            monkeypatch.delenv(variable, raising=False)

    def test_the_file_comes_before_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OLD_URL", "http://old.example")
        assert Remote("c", "cloud", {}).text("auth_url") == "http://old.example"
        monkeypatch.setenv("CLOUD_URL", "http://new.example")
        assert Remote("c", "cloud", {}).text("auth_url") == "http://new.example"
        assert Remote("c", "cloud", {"auth_url": "http://file.example"}).text("auth_url") == "http://file.example"

    def test_what_is_not_said_has_its_default(self) -> None:
        remote = Remote("c", "cloud", {})
        assert (remote.text("region"), remote.number("segment_size"), remote.seconds("timeout")) == ("", 64 << 20, 30)
        assert remote.switch("strict") is False

    def test_what_is_required_is_missed(self) -> None:
        with pytest.raises(UsageError) as caught:
            Remote("c", "cloud", {}).text("auth_url")
        assert str(caught.value) == (
            "remote c: auth_url is missing; set it in [remote.c], or in the environment as $CLOUD_URL or $OLD_URL"
        )

    def test_a_wrong_variable_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLOUD_URL", "nonsense")
        with pytest.raises(UsageError, match=r"\$CLOUD_URL: an address is needed"):
            Remote("c", "cloud", {}).text("auth_url")


@pytest.mark.parametrize("kind", STORE_TYPES.values(), ids=STORE_TYPES)
def test_descriptions_are_whole(kind: StoreType) -> None:
    keys = [key for setting in kind.settings for key in setting.keys]
    assert sorted(keys) == sorted(kind.keys), "no key is there twice"
    assert "type" not in keys
    assert kind.summary.endswith(".")
    for setting in kind.settings:
        assert setting.help.endswith("."), setting.name
        assert "|" not in setting.help.replace("\\|", ""), "it has to fit into a table"
        assert not (setting.required and setting.default is not None), setting.name
        if setting.default is not None:
            setting.check(setting.name, setting.default)
        if setting.kind is Kind.SECRET:
            assert setting.default is None
