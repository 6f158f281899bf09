"""Keys are made once, kept as hashes, and a file that others can read is refused."""

import os
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.serve.keys import hash_key, make_key, matches, presented, read_hashes


def test_a_key_made_here_opens(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    keys = [make_key(file), make_key(file)]
    assert file.stat().st_mode & 0o777 == 0o600
    hashes = read_hashes(str(file))
    assert len(hashes) == 2
    assert all(matches([key.encode()], hashes) for key in keys)
    assert all(key not in file.read_text() for key in keys)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "keys.txt"
    make_key(file)
    os.chmod(file, mode)
    for act in (lambda: read_hashes(str(file)), lambda: make_key(file)):
        with pytest.raises(UserError) as error:
            act()
        assert error.value.hint == f"say: chmod 600 {file}"


def test_what_a_file_may_hold(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    file.touch(mode=0o600)
    file.write_text(f"# of the web shop\n{hash_key(b'a')}  # since May\n\n")
    assert read_hashes(str(file)) == (hash_key(b"a"),)


@pytest.mark.parametrize("text", ["", "# nothing\n", "dk-a-plain-key\n", "A" * 64 + "\n"])
def test_a_file_without_hashes_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.txt"
    file.touch(mode=0o600)
    file.write_text(text)
    with pytest.raises(UserError) as error:
        read_hashes(str(file))
    assert "dk-a" not in error.value.problem + error.value.hint
    assert "dragoman serve --new-key" in error.value.hint


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no key file"):
        read_hashes(str(tmp_path / "none"))
    with pytest.raises(UserError, match="cannot be written"):
        make_key(tmp_path / "no" / "keys.txt")


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", f"{hash_key(b'a')}, {hash_key(b'b')}")
    assert matches([b"b"], read_hashes("env:KEYS"))
    with pytest.raises(UserError, match="there is no key in env:NONE"):
        read_hashes("env:NONE")


def test_exactly_one_key_is_looked_for() -> None:
    hashes = [hash_key(b"a")]
    assert matches([b"a"], hashes)
    assert not matches([], hashes)
    assert not matches([b"a", b"a"], hashes)
    assert not matches([b""], [hash_key(b"x")])
    assert not matches([b"a" * 513], [hash_key(b"a" * 512)])


def test_where_a_key_may_stand() -> None:
    headers = [(b"authorization", b"Bearer a"), (b"x-api-key", b" b "), (b"cookie", b"c")]
    assert presented(headers) == [b"a", b"b"]
    assert presented([(b"authorization", b"Basic a")]) == [b""]
