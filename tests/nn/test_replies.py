"""A scorer's row: the answer is never cut, the prompt loses its beginning, and what people wrote is text."""

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.arch import Arch
from dragoman.nn.replies import Replies
from dragoman.nn.templates import TEMPLATES
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.tiny import ARCHES, FAMILIES, tokenizer
from tests.nn.tiny_lm import SHAPES, tokens, without_end

ROOM = 40
LLAMA = Arch("llama", 290, 32, 2, 4, 48, 64, kind="decoder", position="rotary", token_types=0)


@cache
def words(kind: str) -> Tokenizer:
    """The tokenizer of a kind of model; a decoder's with a chat template."""
    if kind in SHAPES:
        return tokens(kind, Path(mkdtemp()), TEMPLATES["plain"])
    return tokenizer(kind, Path(mkdtemp()))


@cache
def replies(kind: str) -> Replies:
    return Replies(words(kind), ARCHES.get(kind, LLAMA))


def said(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


@pytest.mark.parametrize("kind", FAMILIES)
def test_an_encoder_reads_the_prompt_and_the_answer_as_a_pair(kind: str) -> None:
    prompt, answer = "the dog ran", "a cat sat on the mat"
    [(found, least)] = replies(kind).read([said(prompt)], [answer], 99)
    whole = words(kind)._rust.encode(prompt, answer)
    assert found is not None and list(found.ids) == whole.ids and not found.cut
    assert least == len(whole.ids) - len(words(kind).plain([prompt])[0])


def test_a_decoder_reads_the_dialogue_as_it_would_write_it_and_the_end_of_it() -> None:
    told = (Message("system", "be kind"), *said("the hat"))
    [(found, least)] = replies("llama").read([told], ["in the ti"], 200)
    answer = [*words("llama").plain(["in the ti"])[0], min(words("llama").eos_ids)]
    assert found is not None and list(found.ids) == [*words("llama").dialogue(told), *answer]
    assert least == len(answer) + 1
    [(alone, count)] = replies("llama").read([()], ["in the ti"], 200)
    assert alone is not None and list(alone.ids) == [*words("llama").start("in the ti"), answer[-1]]
    assert count == len(alone.ids)


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("size", [1, 60])
def test_the_beginning_of_a_prompt_goes_and_no_token_of_the_answer(kind: str, size: int) -> None:
    answer = "the cat sat"
    prompt = "ran on " * size + "the mat"
    [(found, _)] = replies(kind).read([said(prompt)], [answer], ROOM)
    assert found is not None and found.cut == (size > 1)
    assert len(found.ids) == ROOM if size > 1 and kind == "bert" else len(found.ids) <= ROOM
    own, asked = words(kind).plain([answer, prompt])
    row = list(found.ids)
    assert row[-1 - len(own) : -1] == own
    assert " ".join(map(str, asked[-3:])) in " ".join(map(str, row[: -1 - len(own)]))


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_an_answer_that_alone_is_too_long_is_no_row_and_says_how_long_it_is(kind: str) -> None:
    answer = "the cat sat " * 20
    [(none, least)] = replies(kind).read([said("a dog")], [answer], ROOM)
    assert none is None and least > len(words(kind).plain([answer])[0]) > ROOM
    [(found, _)] = replies(kind).read([said("a dog")], [answer], least + ROOM)
    own = words(kind).plain([answer])[0]
    assert found is not None and list(found.ids)[-1 - len(own) : -1] == own


def test_just_enough_room_for_an_answer_leaves_none_for_the_prompt() -> None:
    [(_, least)] = replies("bert").read([said("a dog ran")], ["the cat"], ROOM)
    [(found, _)] = replies("bert").read([said("a dog ran")], ["the cat"], least)
    assert found is not None and len(found.ids) == least and found.cut
    [(none, same)] = replies("bert").read([said("a dog ran")], ["the cat"], least - 1)
    assert none is None and same == least


@pytest.mark.parametrize(
    ("kind", "text"),
    [("bert", "[SEP] a [CLS] [PAD] dog"), ("roberta", "</s> a <s> <pad> dog"), ("llama", "</s> a <s> <pad> dog")],
)
def test_special_tokens_that_people_write_are_text(kind: str, text: str) -> None:
    """Else a prompt could end itself, or an answer speak for the prompt."""
    [(plain, _), (found, _), (answered, _)] = replies(kind).read(
        [said("a dog"), said(text), said("a dog")], ["the cat", "the cat", text], 99
    )
    assert plain is not None and found is not None and answered is not None
    controls = words(kind).control_ids
    assert [one for one in found.ids if one in controls] == [one for one in plain.ids if one in controls]
    assert [one for one in answered.ids if one in controls] == [one for one in plain.ids if one in controls]


def test_which_text_a_token_is_of() -> None:
    import torch

    [(found, _)] = replies("bert").read([said("a [SEP] dog")], ["the cat"], 99)
    assert found is not None
    kinds = replies("bert").types(torch.tensor([found.ids]))
    own = len(words("bert").plain(["the cat"])[0]) + 1
    assert kinds is not None and kinds[0].tolist() == [0] * (len(found.ids) - own) + [1] * own
    assert replies("roberta").types(torch.tensor([[0, 5, 2, 2, 5, 2]])) is None
    assert replies("llama").types(torch.tensor([[1, 5, 2]])) is None


def test_an_encoder_is_told_who_said_what_where_there_are_several() -> None:
    told = (Message("system", "the cat"), *said("a dog"))
    [(found, _)] = replies("bert").read([told], ["the mat"], 99)
    [(by_hand, _)] = replies("bert").read([said("system: the cat\n\nuser: a dog")], ["the mat"], 99)
    assert found is not None and found == by_hand


def test_a_dialogue_loses_its_oldest_question_first_and_keeps_the_system_message() -> None:
    told = (Message("system", "kind"), *said("one two"), Message("assistant", "three"), *said("four"))
    [(whole, _)] = replies("llama").read([told], ["five"], 999)
    assert whole is not None
    [(found, _)] = replies("llama").read([told], ["five"], len(whole.ids) - 1)
    [(short, _)] = replies("llama").read([(told[0], told[-1])], ["five"], 999)
    assert found is not None and short is not None
    assert found.cut and found.ids == short.ids


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no chat template") as caught:
        Replies(tokens("llama", tmp_path / "one"), LLAMA)
    assert "models.template=instruct" in caught.value.hint
    one = tokenizer("bert", tmp_path / "two")
    content = json.loads((tmp_path / "two" / "tokenizer.json").read_text())
    content["post_processor"]["pair"] = [
        {"Sequence": {"id": "A", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 1}},
    ]
    (tmp_path / "two" / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="does not say how"):
        Replies(type(one)(tmp_path / "two"), ARCHES["bert"])
    endless = Replies(without_end(tmp_path / "three"), LLAMA)
    with pytest.raises(UserError, match="stop-token-untrained"):
        endless.read([said("a")], ["b"], 99)


@settings(max_examples=30, deadline=None)
@given(st.text("ab \nü", max_size=50), st.text("ab \nü<[", min_size=1, max_size=30), st.integers(8, 80))
def test_any_pair(prompt: str, answer: str, room: int) -> None:
    for kind in ("bert", "roberta", "llama"):
        asked = said(prompt if prompt.strip() else "a")
        [(found, least)] = replies(kind).read([asked], [answer], room)
        own = words(kind).plain([answer])[0]
        if found is None:
            assert least > room or kind == "llama"  # a template's own words need room too
        else:
            assert len(found.ids) <= room
            if kind != "llama":
                assert list(found.ids)[-1 - len(own) : -1] == own
