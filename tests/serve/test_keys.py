"""Keys are made once, kept as hashes, and a file that others can read is refused."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.serve import keys as keys_module
from dragoman.serve.keys import (
    Key,
    Keyring,
    hash_key,
    list_keys,
    make_key,
    matched,
    presented,
    read_keys,
    revoke,
)


def hashes_of(place: str) -> tuple[str, ...]:
    """The hashes of the keys at a place."""
    return tuple(key.hash for key in read_keys(place))


def test_a_key_made_here_opens(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    keys = [make_key(file), make_key(file)]
    assert file.stat().st_mode & 0o777 == 0o600
    hashes = hashes_of(str(file))
    assert len(hashes) == 2
    assert all(matched([key.encode()], hashes) for key in keys)
    assert all(key not in file.read_text() for key in keys)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "keys.txt"
    make_key(file)
    os.chmod(file, mode)
    for act in (lambda: hashes_of(str(file)), lambda: make_key(file)):
        with pytest.raises(UserError) as error:
            act()
        assert error.value.hint == f"say: chmod 600 {file}"


def test_what_a_file_may_hold(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    file.touch(mode=0o600)
    file.write_text(f"# of the web shop\n{hash_key(b'a')}  # since May\n\n")
    assert hashes_of(str(file)) == (hash_key(b"a"),)


@pytest.mark.parametrize("text", ["", "# nothing\n", "dk-a-plain-key\n", "A" * 64 + "\n"])
def test_a_file_without_hashes_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.txt"
    file.touch(mode=0o600)
    file.write_text(text)
    with pytest.raises(UserError) as error:
        hashes_of(str(file))
    assert "dk-a" not in error.value.problem + error.value.hint
    assert "dragoman serve --new-key" in error.value.hint


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no key file"):
        hashes_of(str(tmp_path / "none"))
    with pytest.raises(UserError, match="cannot be written"):
        make_key(tmp_path / "no" / "keys.txt")


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", f"{hash_key(b'a')}, {hash_key(b'b')}")
    assert matched([b"b"], hashes_of("env:KEYS"))
    with pytest.raises(UserError, match="there is no key in env:NONE"):
        hashes_of("env:NONE")


def test_exactly_one_key_is_looked_for() -> None:
    hashes = [hash_key(b"a")]
    assert matched([b"a"], hashes)
    assert not matched([], hashes)
    assert not matched([b"a", b"a"], hashes)
    assert not matched([b""], [hash_key(b"x")])
    assert not matched([b"a" * 513], [hash_key(b"a" * 512)])


def test_where_a_key_may_stand() -> None:
    headers = [(b"authorization", b"Bearer a"), (b"x-api-key", b" b "), (b"cookie", b"c")]
    assert presented(headers) == [b"a", b"b"]
    assert presented([(b"authorization", b"Basic a")]) == [b""]


WHOLE = "name=alice scopes=chat,ask requests_per_minute=60 tokens_per_minute=10000 tokens_per_day=90000"


def lines(file: Path, *text: str) -> str:
    """A private file of lines, by its place."""
    file.touch(mode=0o600)
    file.write_text("".join(f"{line}\n" for line in text))
    return str(file)


def test_a_line_says_what_its_key_may_do(tmp_path: Path) -> None:
    text = f"{hash_key(b'a')} {WHOLE} until=2027-01-31"
    place = lines(tmp_path / "keys.txt", text + "  # of the shop", hash_key(b"b"))
    one, plain = read_keys(place)
    assert one == Key(hash_key(b"a"), "alice", ("chat", "ask"), 60, 10_000, 90_000, date(2027, 1, 31))
    assert one.line == text
    assert one.may("ask") and not one.may("embed")
    last = datetime(2027, 1, 31, 23, 59, tzinfo=UTC).timestamp()
    assert not one.is_over(last) and one.is_over(last + 60)
    assert plain == Key(hash_key(b"b"), hash_key(b"b")[:8]) and plain.may("embed") and not plain.is_over(last)
    listed = list_keys(place, last + 60)
    assert [row["over"] for row in listed] == ["yes", ""] and listed[0]["scopes"] == "chat, ask"
    assert all(key.hash not in str(listed) for key in (one, plain))


@pytest.mark.parametrize(
    "words",
    ["color=red", "name=a name=b", "name=", "name=a/b", "scopes=", "scopes=chat,fly", "requests_per_minute=0",
     "tokens_per_day=-1", "tokens_per_minute=1e9", "until=soon", "dk-secret"],
)  # fmt: skip
def test_a_line_that_says_something_else_is_refused(tmp_path: Path, words: str) -> None:
    place = lines(tmp_path / "keys.txt", f"{hash_key(b'a')} {words}")
    with pytest.raises(UserError) as error:
        read_keys(place)
    assert "dk-secret" not in error.value.problem + error.value.hint and hash_key(b"a") not in error.value.problem


def test_two_keys_of_one_name_are_refused(tmp_path: Path) -> None:
    place = lines(tmp_path / "keys.txt", f"{hash_key(b'a')} name=x", f"{hash_key(b'b')} name=x")
    with pytest.raises(UserError, match="two keys of one name"):
        read_keys(place)


def test_lines_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", f"{hash_key(b'a')} {WHOLE}; {hash_key(b'b')}, {hash_key(b'c')},")
    assert [key.name for key in read_keys("env:KEYS")] == ["alice", hash_key(b"b")[:8], hash_key(b"c")[:8]]


def test_a_key_is_made_as_it_is_described_and_revoked_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    lines(file, "# the web shop's")
    with file.open("a") as stream:
        stream.write(hash_key(b"old"))  # without a line end
    key = make_key(file, "alice", scopes=["chat"], requests_per_minute=5, until="2099-12-31")
    made = read_keys(str(file))[1]
    assert (made.name, made.scopes, made.requests_per_minute, made.until) == ("alice", ("chat",), 5, date(2099, 12, 31))
    for name, scopes, problem in (("alice", (), "the name alice"), ("b", ("fly",), "unknown scope"), ("b c", (), "#")):
        with pytest.raises(UserError, match=problem):
            make_key(file, name, scopes=scopes)
    revoke(file, "alice")
    assert file.read_text() == f"# the web shop's\n{hash_key(b'old')}\n"
    assert file.stat().st_mode & 0o777 == 0o600 and [path.name for path in tmp_path.iterdir()] == ["keys.txt"]
    assert not matched([key.encode()], hashes_of(str(file)))
    with pytest.raises(UserError, match="no key of that name"):
        revoke(file, "alice")


def test_a_ring_follows_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(keys_module, "LOOK", 0.0)
    file = tmp_path / "keys.txt"
    first, second = (make_key(file, name).encode() for name in ("alice", "ben"))
    ring = Keyring(str(file))
    alice, ben = ring.find([first]), ring.find([second])
    assert alice and ben and (alice.name, ben.name) == ("alice", "ben")
    assert ring.find([]) is ring.find([first, first]) is ring.find([b"\xff"]) is ring.find([b""]) is None
    revoke(file, "alice")
    assert not ring.holds(alice) and ring.find([first]) is None and ring.holds(ben)
    third = make_key(file, "cid").encode()
    assert ring.find([third])
    file.write_text("a slip of the pen")
    assert ring.holds(ben) and ring.holds(ben)
    os.chmod(file, 0o644)
    assert ring.holds(ben) and capsys.readouterr().err.count("the keys before it stay") == 2
    file.unlink()
    assert not ring.holds(ben) and list(ring) == []


def test_a_ring_looks_no_more_than_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "LOOK", 3600.0)
    file = tmp_path / "keys.txt"
    key = make_key(file, "alice").encode()
    ring = Keyring(str(file))
    file.unlink()
    assert ring.find([key])


def test_a_key_whose_last_day_is_over_opens_nothing(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    key = make_key(file, "alice", until="2020-01-01").encode()
    ring = Keyring(str(file))
    assert ring.find([key]) is None and not ring.holds(read_keys(str(file))[0])
