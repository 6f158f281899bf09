"""A question and its context in one row: as the published tokenizers join them, with every token's characters known."""

import json
from pathlib import Path

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.padding import pad
from dragoman.nn.questions import QUESTION, Pairing, read_passages, split_prompt, token_span
from tests.nn.tiny import ARCHES, FAMILIES, tokenizer

CONTEXT = "the dog ran fast. a cat sat on the mat"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_is_what_the_tokenizer_makes_of_a_pair(family: str, tmp_path: Path) -> None:
    tokens = tokenizer(family, tmp_path)
    pairing = Pairing.of(tokens, ARCHES[family])
    ((passage,),) = read_passages(tokens, pairing, [(CONTEXT, "the dog ran")], 90)
    whole = tokens._rust.encode("the dog ran", CONTEXT)
    assert list(passage.ids) == whole.ids
    ids, mask = pad([passage.ids, passage.ids[:-3]], ARCHES[family].pad_id)
    types = pairing.second(ids)
    if family == "bert":
        assert types is not None
        assert types[0].tolist() == whole.type_ids
    else:
        assert types is None
    allowed = pairing.allowed(ids, mask)
    context = range(passage.start, len(passage.ids) - 1)
    assert allowed[0].nonzero()[:, 0].tolist() == [0, *context]
    assert allowed[1].nonzero()[:, 0].tolist() == [0, *list(context)[:-2]]
    assert bool((pairing.allowed(ids[:1], None)[0] == allowed[0]).all())


def test_windows_hold_the_whole_context(tmp_path: Path) -> None:
    tokens = tokenizer("bert", tmp_path)
    pairing = Pairing.of(tokens, ARCHES["bert"])
    context = " ".join([CONTEXT] * 5)
    asked = [(context, "a dog"), ("", "a dog"), (context, "the cat " * 99)]
    long, empty, wordy = read_passages(tokens, pairing, asked, 24)
    assert len(long) > 2
    assert all(len(passage.ids) <= 24 for passage in (*long, *empty, *wordy))
    covered = {passage.first + place for passage in long for place in range(len(passage.spans))}
    assert covered == set(range(len(tokens.plain([context])[0])))
    whole = tokens.plain([context])[0]
    for passage in (*long, *wordy):
        assert list(passage.ids[passage.start : -1]) == whole[passage.first : passage.first + len(passage.spans)]
    assert empty[0].spans == ()
    assert wordy[0].start == 1 + 10 + 1  # half of the room that 24 tokens leave
    assert QUESTION == 64
    with pytest.raises(UserError, match="no room for a context"):
        read_passages(tokens, pairing, asked, 4)


def test_a_prompt_and_its_parts() -> None:
    assert split_prompt("one\n\ntwo\n\nthree?") == ("one\n\ntwo", "three?")
    for text in ("no question", "\n\nwhat?", "a context\n\n "):
        with pytest.raises(UserError, match="an empty line and the question"):
            split_prompt(text)


def test_which_tokens_hold_some_characters() -> None:
    spans = [(0, 3), (4, 7), (7, 8), (9, 9), (10, 12)]
    assert token_span(spans, 4, 8) == (1, 2)
    assert token_span(spans, 5, 6) == (1, 1)
    assert token_span(spans, 3, 4) is None
    assert token_span(spans, 8, 11) == (4, 4)


def test_a_tokenizer_that_joins_nothing_is_refused(tmp_path: Path) -> None:
    tokens = tokenizer("bert", tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["post_processor"]["pair"] = [
        {"Sequence": {"id": "A", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 1}},
    ]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="does not say how a question"):
        Pairing.of(type(tokens)(tmp_path), ARCHES["bert"])


def test_every_published_answer_is_found_in_its_tokens(shared_data: Path) -> None:
    from dragoman.models.source import resolve
    from dragoman.nn.tokenizer import Tokenizer

    tokens = Tokenizer(resolve("builtin:minilm"))
    articles = json.loads((shared_data / "qa" / "xquad.en.json").read_text())["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    wrong = total = 0
    for paragraph, (_, spans) in zip(
        paragraphs, tokens.locate([paragraph["context"] for paragraph in paragraphs]), strict=True
    ):
        for answer in (answer for asked in paragraph["qas"] for answer in asked["answers"]):
            held = token_span(spans, answer["answer_start"], answer["answer_start"] + len(answer["text"]))
            assert held is not None
            wrong += paragraph["context"][spans[held[0]][0] : spans[held[1]][1]] != answer["text"]
            total += 1
    assert total > 900
    assert wrong <= 1  # "(2,70" of "2,700": an answer that ends inside of a number


def test_bits_do_not_depend_on_the_padding(tmp_path: Path) -> None:
    pairing = Pairing.of(tokenizer("bert", tmp_path), ARCHES["bert"])
    ids = torch.tensor([[2, 7, 3, 8, 9, 3, 0, 0]])
    shown = torch.tensor([[True] * 6 + [False] * 2])
    assert pairing.allowed(ids, shown)[0].tolist() == [True, False, False, True, True, False, False, False]
