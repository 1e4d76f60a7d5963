from __future__ import annotations

import copy
import pickle
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudfs.auth.secrets import Secret, find_secret, load_secret, require_secret
from cloudfs.config import Config, Remote, load_config
from cloudfs.errors import UsageError
from cloudfs.settings import types
from cloudfs.settings.kinds import Kind, Setting, StoreType

HUSH = "hush-hush"
CLOUD = StoreType(
    name="cloud",
    summary="A cloud.",
    settings=(Setting("key", "What opens it.", Kind.SECRET, required=True, environment=("CLOUD_KEY",)),),
)


@pytest.fixture(autouse=True)
def _types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(types.STORE_TYPES, "cloud", CLOUD)
    for variable in ("CREDENTIALS_DIRECTORY", "CLOUDFS_SECRET_MY_CLOUD_KEY", "CLOUD_KEY"):
        monkeypatch.delenv(variable, raising=False)


def remote(**settings: str) -> Remote:
    return Remote("my-cloud", "cloud", {key: CLOUD.keys[key].check(key, value) for key, value in settings.items()})


def private(file: Path, text: str, mode: int = 0o600) -> str:
    file.write_text(text)
    file.chmod(mode)
    return str(file)


class TestASecret:
    def test_it_is_not_shown(self) -> None:
        @dataclass
        class Holder:
            secret: Secret

        secret = Secret(HUSH)
        shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", "%s" % secret, repr(Holder(secret))]  # noqa: UP031
        assert [text for text in shown if HUSH in text] == []
        assert secret.reveal() == HUSH

    def test_it_stays_in_its_process(self) -> None:
        for leave in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="does not leave"):
                leave(Secret(HUSH))

    def test_it_is_equal_to_the_same_secret_only(self) -> None:
        assert Secret(HUSH) == Secret(HUSH)
        assert Secret(HUSH) != Secret("hush")
        assert Secret(HUSH) != HUSH
        with pytest.raises(TypeError):
            hash(Secret(HUSH))


class TestWhereItComesFrom:
    def test_nowhere(self) -> None:
        assert find_secret(remote(), "key") is None

    def test_the_configuration(self) -> None:
        assert require_secret(remote(key=HUSH), "key").reveal() == HUSH

    @pytest.mark.parametrize("text", [HUSH, f"{HUSH}\n", f"{HUSH}\r\n", f"{HUSH}\nuser: ann\n"])
    def test_the_first_line_of_a_file(self, tmp_path: Path, text: str) -> None:
        assert require_secret(remote(key_file=private(tmp_path / "key", text)), "key").reveal() == HUSH

    def test_a_file_below_the_home_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        private(tmp_path / "key", HUSH)
        assert require_secret(remote(key_file="~/key"), "key").reveal() == HUSH

    def test_the_first_line_a_command_prints(self) -> None:
        command = f"echo {HUSH} | cat; echo more"
        assert require_secret(remote(key_command=command), "key").reveal() == HUSH

    async def test_without_blocking_the_loop(self) -> None:
        assert (await load_secret(remote(key_command=f"echo {HUSH}"), "key")).reveal() == HUSH

    def test_it_is_looked_up_each_time(self, tmp_path: Path) -> None:
        file = private(tmp_path / "key", "old")
        mine = remote(key_file=file)
        assert require_secret(mine, "key").reveal() == "old"
        private(tmp_path / "key", "new")
        assert require_secret(mine, "key").reveal() == "new"

    def test_systemd_then_our_variable_then_the_type_s_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLOUD_KEY", "third")
        assert require_secret(remote(), "key").reveal() == "third"
        monkeypatch.setenv("CLOUDFS_SECRET_MY_CLOUD_KEY", "second")
        assert require_secret(remote(), "key").reveal() == "second"
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        assert require_secret(remote(), "key").reveal() == "second"
        private(tmp_path / "my-cloud.key", "first\n", 0o440)
        assert require_secret(remote(), "key").reveal() == "first"
        assert require_secret(remote(key=HUSH), "key").reveal() == HUSH


class TestWhatIsWrong:
    """It says what to do, and quotes neither the secret nor what a command printed."""

    @staticmethod
    def complaint(mine: Remote, *, seconds: float = 30.0) -> str:
        with pytest.raises(UsageError) as caught:
            require_secret(mine, "key", seconds=seconds)
        assert HUSH not in "".join(traceback.format_exception(caught.value))
        assert str(caught.value).startswith("remote my-cloud: key")
        return str(caught.value)

    def test_it_is_nowhere(self) -> None:
        assert self.complaint(remote()) == (
            "remote my-cloud: key is missing; give it as key or key_file or key_command or "
            "$CLOUDFS_SECRET_MY_CLOUD_KEY or $CLOUD_KEY"
        )

    def test_there_is_no_such_file(self, tmp_path: Path) -> None:
        assert f"cannot read {tmp_path}/none: No such file" in self.complaint(remote(key_file=f"{tmp_path}/none"))

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o602])
    def test_others_may_read_the_file(self, tmp_path: Path, mode: int) -> None:
        file = private(tmp_path / "key", HUSH, mode)
        assert f"others may read {file}; protect it with: chmod 600" in self.complaint(remote(key_file=file))

    def test_a_directory_is_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "key").mkdir(mode=0o700)
        assert "Is a directory" in self.complaint(remote(key_file=f"{tmp_path}/key"))

    @pytest.mark.parametrize("text", ["", "\n", f"\n{HUSH}"])
    def test_an_empty_first_line(self, tmp_path: Path, text: str) -> None:
        file = private(tmp_path / "key", text)
        assert self.complaint(remote(key_file=file)).endswith("is empty")

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "key").touch(0o600)
        (tmp_path / "key").write_bytes(b"\xff\xfe")
        assert "is not UTF-8 text" in self.complaint(remote(key_file=f"{tmp_path}/key"))

    def test_the_command_fails(self) -> None:
        mine = remote(key_command=f"echo {HUSH[:4]}-hush; echo {HUSH[:4]}-hush >&2; exit 3")
        assert "key_command: it failed with exit status 3; run it by hand" in self.complaint(mine)

    def test_the_command_is_killed(self) -> None:
        assert "it failed by signal 15" in self.complaint(remote(key_command="kill -TERM $$"))

    def test_the_command_prints_nothing(self) -> None:
        assert self.complaint(remote(key_command="true")).endswith("what it printed is empty")

    @pytest.mark.parametrize("command", ["sleep 60", "sleep 60 & echo x", "sleep 60 | cat"])
    def test_the_command_hangs(self, command: str) -> None:
        assert "it took longer than 0.2 s" in self.complaint(remote(key_command=command), seconds=0.2)

    def test_two_places(self, tmp_path: Path) -> None:
        file = private(
            tmp_path / "config.toml", f'[remote.my-cloud]\ntype = "cloud"\nkey = "{HUSH}"\nkey_file = "/k"\n'
        )
        with pytest.raises(UsageError, match="key and key_file are two places for one secret; keep one of them"):
            load_config(Path(file))


def test_a_configuration_with_secrets_can_be_printed(tmp_path: Path) -> None:
    file = private(tmp_path / "config.toml", f'[remote.my-cloud]\ntype = "cloud"\nkey = "{HUSH}"\n')
    config = load_config(Path(file))
    assert isinstance(config, Config)
    assert HUSH not in repr(config)
