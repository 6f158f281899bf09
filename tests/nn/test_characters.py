"""A stream of tokens is read by whole characters, each token once."""

import time
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Rust
from tokenizers import decoders, models

from dragoman.core.errors import UserError
from dragoman.nn.characters import Characters, Pieces
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.chats import write_chat


def test_an_emoji_over_several_tokens_comes_out_whole(tmp_path: Path) -> None:
    tokens = Tokenizer(write_chat("chatml", tmp_path))
    ids = tokens.plain(["é 😀!"])[0]
    stream = tokens.characters()
    pushed = [stream.push(number) for number in ids]
    assert "".join(pushed) == "é 😀!" and stream.end() == ""
    assert "😀" in pushed and "\ufffd" not in "".join(pushed)
    half = tokens.characters()
    assert "".join(half.push(number) for number in ids[:-2]) == "é "
    assert half.end() == "\ufffd"


def test_byte_fallback_gives_each_character_as_soon_as_it_is_whole(shared_data: Path) -> None:
    tokens = Tokenizer(shared_data / "models" / "stories260K")
    stream = tokens.characters()
    pushed = [stream.push(number) for number in tokens.start("😀😀 one")]
    assert [text for text in pushed if "😀" in text] == ["😀", "😀"]
    assert "".join(pushed) == "😀😀 one"  # without the space that marks the first word


def test_specials_and_numbers_nobody_has_are_silent(shared_data: Path) -> None:
    tokens = Tokenizer(shared_data / "models" / "stories260K")
    stream = tokens.characters()
    assert [stream.push(number) for number in (1, 10_000, -5, 0)] == ["", "", "", ""]
    assert stream.push(tokens.plain(["Once"])[0][0]) == "Once"
    assert tokens.pieces([1, 10_000, *tokens.plain(["Once"])[0]]) == [b"", b"", b" Once"]


def test_words_of_bert_are_joined_as_its_decoder_does() -> None:
    rust = Rust(models.WordPiece({"a": 0, "##b": 1, ".": 2, "do": 3, "not": 4, "'": 5}, unk_token="a"))
    rust.decoder = decoders.WordPiece()
    pieces = Pieces(rust, ())
    for row in ([0, 1, 2, 3, 4, 5], [1, 1, 0, 5, 2], [2, 2, 3]):
        assert Characters(pieces).whole(row) == rust.decode(row)


@pytest.mark.parametrize(
    "decoder",
    [
        None,
        decoders.Metaspace(),
        decoders.Metaspace(prepend_scheme="never"),
        decoders.Sequence([decoders.Replace("\u2581", "_"), decoders.Fuse(), decoders.Strip("_", 2, 0)]),
        decoders.WordPiece(prefix="b", cleanup=False),
    ],
)
def test_other_decoders(decoder: decoders.Decoder | None) -> None:
    rust = Rust(models.WordLevel({"\u2581a": 0, "b": 1, "\u2581\u2581c\u2581": 2, "\u2581": 3}, unk_token="b"))
    if decoder:
        rust.decoder = decoder
    pieces = Pieces(rust, ())
    for row in ([0, 1, 2], [2, 0, 3], [1, 0, 1], []):
        assert Characters(pieces).whole(row) == rust.decode(row)


def test_a_decoder_of_speech_is_refused() -> None:
    rust = Rust(models.WordLevel({"a": 0}, unk_token="a"))
    rust.decoder = decoders.CTC()
    with pytest.raises(UserError, match="CTC"):
        Pieces(rust, ())


def test_the_time_is_linear(tmp_path: Path) -> None:
    tokens = Tokenizer(write_chat("chatml", tmp_path))
    ids = tokens.plain(["the cat 😀 " * 20])[0]

    def seconds(times: int) -> float:
        begun = time.process_time()
        tokens.decode(ids * times)
        return time.process_time() - begun

    seconds(10)
    assert seconds(400) < 40 * max(seconds(40), 0.001)
