"""Pairs for an encoder-decoder: what is read, what is written, what a cut does, what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.nn.tokenizer import Tokenizer
from dragoman.train.fitting import Lesson
from dragoman.train.objectives.seq2seq import Seq2seq
from tests.nn.tiny_lm import tokens
from tests.train.lessons import HOW, begun, kit, lessons, model, steps, words

SIDES: tuple[Literal["right", "left", "drop"], ...] = ("right", "left", "drop")
LONG = Example((Message("user", "abcdefgh" * 5),), ("yes",), meta={"id": "long"})


def encoded(objective: Seq2seq, *examples: Example, room: int = 96, given: Tokenizer | None = None) -> Any:
    tools = kit("seq2seq", replace(HOW, max_length=room))
    return objective.encode(model("seq2seq"), Lesson(examples), replace(tools, tokenizer=given or tools.tokenizer))


def test_the_decoder_begins_as_it_answers_and_ends() -> None:
    given, net = words("seq2seq"), model("seq2seq")
    one = encoded(Seq2seq(), Example((Message("user", "the hill"),), ("in it", "no"), meta={"id": "p"})).examples[0]
    answer = [*given.plain(["in it"])[0], *given.eos_ids]
    assert list(one.ids) == given.encode(["the hill"], 99)[0]
    assert list(one.labels) == answer
    assert list(one.targets) == [net.arch.start_id, *answer[:-1]]
    assert one.name == "p"


def test_what_it_writes_by_itself_is_not_learnt(tmp_path: Path) -> None:
    given = tokens("bart", tmp_path)
    one = encoded(Seq2seq(), Example((Message("user", "a"),), ("in",)), given=given).examples[0]
    assert one.targets[1] == given.bos_id and one.labels[0] == -100
    assert one.labels[1:].tolist() == [*given.plain(["in"])[0], *given.eos_ids]


def test_a_source_that_is_too_long_keeps_what_stands_around_it() -> None:
    given = words("seq2seq")
    short = lessons(1)[0]
    right, left, drop = (encoded(Seq2seq(cut=side), short, LONG, room=12) for side in SIDES)
    assert (right.cut, right.dropped, left.cut, left.dropped) == (1, 0, 1, 0)
    assert (drop.cut, drop.dropped, len(drop.examples)) == (0, 1, 1)
    for made, kept in ((right, "abcdefghabc"), (left, "fghabcdefgh")):
        one = made.examples[1]
        assert len(one.ids) == 12 and one.ids[-1] in given.eos_ids and given.decode(one.ids.tolist()) == kept
        assert given.decode([label for label in one.labels.tolist() if label >= 0]) == "yes"


def test_an_answer_that_was_cut_does_not_teach_to_stop() -> None:
    one = encoded(Seq2seq(), replace(LONG, answers=("y" * 50,)), room=20).examples[0]
    assert len(one.labels) == len(one.targets) == 20
    assert not set(one.labels.tolist()) & words("seq2seq").eos_ids


def test_what_is_left_out_is_counted_and_what_is_wrong_named() -> None:
    short = lessons(1)[0]
    made = encoded(Seq2seq(), short, replace(short, answers=(" ",)), replace(short, answers=()))
    assert (len(made.examples), made.cut, made.dropped) == (1, 0, 2)
    with pytest.raises(UserError, match=r"^example e7: .*half a character"):
        encoded(Seq2seq(), short, replace(short, answers=("\ud800",), meta={"id": "e7"}))


def test_nothing_to_learn_is_refused_by_name() -> None:
    for examples in ((), (Example((), ("plain",)),), (Example(LONG.prompt, ()),)):
        with pytest.raises(UserError, match=r"^labels-all-masked"):
            encoded(Seq2seq(), *examples)


@pytest.mark.parametrize(("field", "value"), [("neftune", -1), ("smoothing", 1.0), ("smoothing", -0.1)])
def test_settings_out_of_range(field: str, value: float) -> None:
    with pytest.raises(UserError, match=field):
        Seq2seq(**{field: value})  # type: ignore[arg-type]


def test_smoothing_and_noise() -> None:
    net = model("seq2seq").eval()
    batch = next(Seq2seq().stream(net, encoded(Seq2seq(), *lessons(6)), kit("seq2seq"), 0))[0]
    plain, smooth, noise = (
        one.loss(net, batch, kit("seq2seq")).total.item()
        for one in (Seq2seq(), Seq2seq(smoothing=0.1), Seq2seq(neftune=5.0))
    )
    assert plain == noise != smooth
    assert Seq2seq(neftune=5.0).loss(net.train(), batch, kit("seq2seq")).total.item() != plain


def test_it_learns() -> None:
    found = steps(begun(Seq2seq(), replace(HOW, steps=20)))
    assert found[-1].loss < 0.3 * found[0].loss
