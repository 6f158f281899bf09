"""Tokenizers are trained as they are described, the same each time, and open like any other."""

from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.recipe import KINDS, Training, roles, specials
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.vocabulary import train, write

TEXTS = ["The cat sat on the mat, and the cats saw 1234 dogs.\n", "the matter was that the dog sat there\n"] * 20


def trained(folder: Path, how: Training) -> Tokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    write(train(TEXTS, how), how, folder)
    return Tokenizer(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_come_first_and_are_no_text(kind: str, tmp_path: Path) -> None:
    how = Training(kind=kind, size=320, chat=True, special=("<|tool|>",), reserved=3)
    tokens = trained(tmp_path, how)
    names = specials(how)
    assert tokens.tokens(range(len(names))) == names and names[-1] == "<|reserved_2|>"
    assert tokens.size <= 320
    assert not tokens.control_ids & set(tokens.plain(["".join(names)])[0])
    assert tokens.tokens(sorted(tokens.eos_ids)) == ["<|im_end|>"]
    assert tokens.special == roles(how) and tokens.pad_id == names.index(roles(how)["pad_token"])
    ids = tokens.dialogue([Message("user", "the cat")])
    assert tokens.tokens(ids)[0] == "<|im_start|>" and "the cat" in tokens.decode(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_texts_give_equal_bytes(kind: str) -> None:
    how = Training(kind=kind, size=300)
    assert train(TEXTS, how).to_str() == train(iter(TEXTS), how).to_str()


@pytest.mark.parametrize(("kind", "around"), [("bpe", ([], [])), ("wordpiece", ([2], [3])), ("unigram", ([], [1]))])
def test_what_stands_around_a_text(kind: str, around: tuple[list[int], list[int]], tmp_path: Path) -> None:
    tokens = trained(tmp_path, Training(kind=kind, size=300))
    first, last = around
    assert tokens.encode(["the cat"], 50)[0] == [*first, *tokens.plain(["the cat"])[0], *last]
    assert tokens.decode(tokens.encode(["the cat sat"], 50)[0]) == "the cat sat"


def test_how_texts_are_read(tmp_path: Path) -> None:
    low = trained(tmp_path / "low", Training(size=300, lowercase=True, normalize="nfkc"))
    assert low.decode(low.plain(["The ﬁne CAT"])[0]) == "the fine cat"
    single = trained(tmp_path / "single", Training(size=400))
    grouped = trained(tmp_path / "grouped", Training(size=400, single_digits=False))
    assert [len(one.plain([" 1234"])[0]) for one in (single, grouped)] == [5, 1]
    frequent = train(TEXTS, Training(size=1000, min_frequency=30)).get_vocab_size()
    assert frequent < train(TEXTS, Training(size=1000, min_frequency=2)).get_vocab_size()


def test_wordpiece_does_not_know_every_letter(tmp_path: Path) -> None:
    tokens = trained(tmp_path, Training(kind="wordpiece", size=300))
    assert tokens.tokens(tokens.plain(["the 漢"])[0]) == ["the", "[UNK]"]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"kind": "wordpeice"}, "no kind of tokenizer named 'wordpeice'"),
        ({"normalize": "nfd"}, "no normal form 'nfd'"),
        ({"size": 200}, "258 tokens are there before"),
        ({"size": 1 << 21}, "too many"),
        ({"min_frequency": 0}, "keeps nothing out"),
        ({"reserved": -1}, "-1 reserved"),
        ({"special": ("<|pad|>",)}, "empty or stands twice"),
        ({"special": (" ",)}, "empty or stands twice"),
        ({"special": ("<|tool|>", "he")}, "'he' is plain text"),
        ({"kind": "wordpiece", "special": ("##at",)}, "'##at' is plain text"),
        ({"kind": "unigram", "special": ("\u2581he",)}, "is plain text"),
    ],
)
def test_what_cannot_be_trained(given: dict[str, object], what: str) -> None:
    with pytest.raises(UserError, match=what):
        Training(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_and_too_many_letters(kind: str) -> None:
    with pytest.raises(UserError, match="no text"):
        train([" ", ""], Training(kind=kind))
    if kind != "bpe":
        letters = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 200))
        with pytest.raises(UserError, match="cannot be trained"):
            train([letters], Training(kind=kind, size=100))


@pytest.mark.parametrize(
    ("kind", "token"), [("bpe", "!!"), ("bpe", "\u0120!!"), ("wordpiece", "!"), ("unigram", "\u2581!!")]
)
def test_a_special_token_that_the_texts_hold_is_refused(kind: str, token: str) -> None:
    texts = [f"{text} !! and !!" for text in TEXTS]
    with pytest.raises(UserError, match="is plain text"):
        train(texts, Training(kind=kind, size=400, special=(token,)))
    assert train(texts, Training(kind=kind, size=400, special=("<!!>",)))
