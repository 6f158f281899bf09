"""A .model is read field by field; a damaged one is refused."""

import contextlib
import struct
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.nn.sentencepiece import BYTE, CONTROL, NORMAL, UNKNOWN, USER, build, parse
from dragoman.nn.tokenizer import Tokenizer

SPACE = "\u2581"
ROWS = [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL)]
LETTERS = [(letter, -20.0, NORMAL) for letter in f"{SPACE}abc"]


def field(tag: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return bytes([*number(tag << 3), *number(value)])
    return number(tag << 3 | 2) + number(len(value)) + value


def number(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def model(
    rows: list[tuple[str, float, int]], kind: int, *, fallback: int = 0, strip: int = 0, more: bytes = b""
) -> bytes:
    pieces = b"".join(
        field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + field(3, sort))
        for text, score, sort in rows
    )
    return pieces + field(2, field(3, kind) + field(35, fallback) + more) + field(3, field(4, strip))


def test_byte_pairs_are_merged_by_their_scores(tmp_path: Path) -> None:
    rows = [*ROWS, *((f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)), *LETTERS]
    rows += [("ab", -1.0, NORMAL), ("bc", 0.0, NORMAL), (f"{SPACE}a", -2.0, NORMAL), ("<sep>", 0.0, USER)]
    (tmp_path / "m.model").write_bytes(model(rows, 2, fallback=1))
    tokens = Tokenizer(tmp_path)
    assert tokens.tokens(tokens.plain(["abc ab"])[0]) == [f"{SPACE}a", "bc", SPACE, "ab"]
    assert tokens.tokens(tokens.start("é<sep>")) == ["<s>", SPACE, "<0xC3>", "<0xA9>", "<sep>"]
    assert tokens.decode(tokens.start(" a  é😀")) == " a  é😀"
    assert (tokens.bos_id, tokens.eos_ids, tokens.unknown_id) == (1, {2}, 0)


def test_unigram_takes_the_best_path(tmp_path: Path) -> None:
    rows = [*ROWS, *LETTERS, ("ab", -3.0, NORMAL), (f"{SPACE}a", -1.0, NORMAL), ("bc", -1.5, NORMAL)]
    (tmp_path / "m.model").write_bytes(model(rows, 1, strip=1))
    tokens = Tokenizer(tmp_path)
    assert tokens.tokens(tokens.plain(["  abc   ab"])[0]) == [f"{SPACE}a", "bc", f"{SPACE}a", "b"]
    assert 2 not in tokens.plain(["a</s>"])[0]


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    good = model([*ROWS, *LETTERS], 1)
    for data, what in [
        (b"", "holds no unigram"),
        (good[:-3], "cannot be read"),
        (b"\xff" * 40, "cannot be read"),
        (b"not a model at all", "cannot be read|holds no"),
        (model(ROWS, 3), "holds no unigram or BPE"),
        (model(ROWS, 1, more=field(24, 1)), "ends of words"),
    ]:
        path.write_bytes(data)
        with pytest.raises(UserError, match=what):
            parse(path)
    path.write_bytes(good)
    assert build(parse(path), extra=2).get_vocab_size() == 9


def test_every_cut_short_model_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    good = model([*ROWS, *LETTERS], 1)
    for end in range(len(good)):
        path.write_bytes(good[:end])
        with contextlib.suppress(UserError):
            assert len(parse(path).pieces) <= 7
