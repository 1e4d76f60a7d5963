from __future__ import annotations

from pathlib import Path

import pytest

from cloudfs import config as config_module
from cloudfs.config import Config, Remote, Source, load_config, local_directory, resolve_source
from cloudfs.errors import UsageError

EMPTY = Config(None, {})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def write(file: Path, text: str, mode: int = 0o600) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_remote(file: Path) -> None:
    config = load_config(write(file, '[remote.backup]\ntype = "local"\ndirectory = "/srv"\n'))
    assert config == Config(file, {"backup": Remote("backup", "local", {"directory": "/srv"})})


def test_an_empty_file_has_no_remotes(file: Path) -> None:
    assert load_config(write(file, "")) == Config(file, {})


class TestWhereItIs:
    """``$CLOUDFS_CONFIG``, then the user's place, then the machine's."""

    REMOTE = '[remote.{name}]\ntype = "local"\n'

    @pytest.fixture(autouse=True)
    def _places(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("CLOUDFS_CONFIG", raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
        monkeypatch.setattr(config_module, "SITE_FILE", tmp_path / "site" / "config.toml")

    def test_nowhere_is_no_remotes(self) -> None:
        assert load_config() == EMPTY

    def test_each_place_comes_before_the_next(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        write(tmp_path / "site" / "config.toml", self.REMOTE.format(name="site"))
        assert set(load_config().remotes) == {"site"}
        write(tmp_path / "user" / "cloudfs" / "config.toml", self.REMOTE.format(name="user"))
        assert set(load_config().remotes) == {"user"}
        named = write(tmp_path / "named.toml", self.REMOTE.format(name="named"))
        monkeypatch.setenv("CLOUDFS_CONFIG", str(named))
        assert set(load_config().remotes) == {"named"}

    def test_a_named_file_must_exist(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("CLOUDFS_CONFIG", str(tmp_path / "none.toml"))
        with pytest.raises(UsageError, match=r"cannot read the configuration .*none\.toml: No such file"):
            load_config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[remote.a", "config.toml: "),
        ("[remotes.a]", "unknown key remotes; did you mean remote?"),
        ("remote = 3", "remote: a table is needed"),
        ("[remote]\na = 3", "remote.a: a table is needed"),
        ("[remote.a]", "remote.a: a type is missing"),
        ('[remote.a]\ntype = "locla"', "remote.a.type: there is no type 'locla'; did you mean local?"),
        ("[remote.a]\ntype = 3", "remote.a.type: there is no type 3"),
        ('[remote.a]\ntype = "local"\ndirctory = "/x"', "unknown key remote.a.dirctory; did you mean directory?"),
        ('[remote.a]\ntype = "local"\ndirectory = 7', "remote.a.directory: a text in quotes is needed"),
        ('[remote.a]\ntype = "local"\ndirectory = "srv"', "remote.a.directory: the directory must be absolute"),
        ('[remote."a:b"]\ntype = "local"', "remote.a:b: a name has letters"),
        ('[remote.local]\ntype = "local"', "remote.local: this name is built in"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(file: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(write(file, text))
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_text_that_is_not_utf8(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        load_config(file)


@pytest.mark.parametrize("key", ["key", "password", "client_secret", "token"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_secrets_others_may_read_are_refused(file: Path, key: str, mode: int) -> None:
    write(file, f'[remote.a]\ntype = "local"\n{key} = "hush"\n', mode)
    with pytest.raises(UsageError, match=rf"others may read remote\.a\.{key}; protect it with: chmod 600") as caught:
        load_config(file)
    assert "hush" not in str(caught.value)


def test_a_file_without_secrets_may_be_read_by_all(file: Path) -> None:
    assert "a" in load_config(write(file, '[remote.a]\ntype = "local"\n', 0o644)).remotes


class TestSources:
    def test_the_built_in_remote(self, tmp_path: Path) -> None:
        source = resolve_source(f"local:{tmp_path}", EMPTY)
        assert source == Source(f"local:{tmp_path}", Remote("local", "local", {}), str(tmp_path))
        assert local_directory(source) == tmp_path

    @pytest.mark.parametrize("spelling", ["{0}/sub", "{0}/sub/", "{0}//sub", "{0}/./sub/."])
    def test_one_directory_is_one_source(self, tmp_path: Path, spelling: str) -> None:
        (tmp_path / "sub").mkdir()
        assert resolve_source("local:" + spelling.format(tmp_path), EMPTY).text == f"local:{tmp_path}/sub"

    def test_a_configured_remote_starts_at_its_directory(self, tmp_path: Path) -> None:
        (tmp_path / "photos").mkdir()
        config = Config(None, {"backup": Remote("backup", "local", {"directory": str(tmp_path)})})
        for text, canonical in {"backup:/photos/": "backup:photos", "backup:photos": "backup:photos"}.items():
            source = resolve_source(text, config)
            assert (source.text, source.path) == (canonical, "photos")
            assert local_directory(source) == tmp_path / "photos"
        assert local_directory(resolve_source("backup:", config)) == tmp_path

    def test_the_root_directory(self) -> None:
        assert resolve_source("local:/", EMPTY).text == "local:/"

    def test_a_missing_directory_is_to_be_made(self, tmp_path: Path) -> None:
        missing = tmp_path / "missing"
        with pytest.raises(UsageError, match=f"there is no directory {missing}; create it with: mkdir -p {missing}"):
            resolve_source(f"local:{missing}", EMPTY)

    def test_a_file_is_no_directory(self, file: Path) -> None:
        write(file, "")
        with pytest.raises(UsageError, match="is not a directory"):
            resolve_source(f"local:{file}", EMPTY)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("/srv/backup", "a source is NAME:PATH"),
            ("local:srv", "must be absolute"),
            ("local:", "must be absolute"),
            ("local:/a/../b", "must not contain"),
            ("backup:x", "no configuration in"),
            ("lcoal:/x", "did you mean local?"),
        ],
    )
    def test_what_is_no_source(self, text: str, message: str) -> None:
        with pytest.raises(UsageError) as caught:
            resolve_source(text, EMPTY)
        assert message in str(caught.value)

    def test_an_unknown_remote_names_the_file_and_the_nearest(self, file: Path) -> None:
        config = load_config(write(file, '[remote.backup]\ntype = "local"\n'))
        with pytest.raises(UsageError, match=rf"no remote bakcup in {file}; did you mean backup\?"):
            resolve_source("bakcup:x", config)
