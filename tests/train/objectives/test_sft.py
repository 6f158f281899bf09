"""Instructions and dialogues in tokens: what is learnt of each, what a cut does, what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from dragoman.core.errors import UserError
from dragoman.core.shards import Documents
from dragoman.core.types import Example, Message
from dragoman.train.fitting import Lesson
from dragoman.train.objectives.sft import Sft
from dragoman.train.packing import Texts
from tests.nn.tiny_lm import without_end
from tests.train.lessons import HOW, begun, kit, lessons, model, steps, words

DIALOGUE = Example(
    (Message("user", "one"), Message("assistant", "two"), Message("user", "three")), ("four",), meta={"id": "d"}
)


SIDES: tuple[Literal["left", "right", "drop"], ...] = ("left", "right", "drop")
LONG = Example((Message("user", "x" * 40),), ("y",))


def encoded(objective: Sft, *examples: Example, room: int = 96, replay: Texts | None = None) -> Any:
    return objective.encode(model(), Lesson(examples, replay), kit(how=replace(HOW, max_length=room)))


def learnt(one: Any) -> list[int]:
    return [label for label in one.labels.tolist() if label >= 0]


def test_at_each_place_the_token_behind_it_is_learnt() -> None:
    made = encoded(Sft(), DIALOGUE)
    one, given = made.examples[0], words()
    assert one.name == "d" and len(one.ids) == len(one.labels)
    whole = given.dialogue([*DIALOGUE.prompt, Message("assistant", "four")])
    end = given.number("</s>")
    assert [*one.ids, end] == [*whole, end]
    assert [given.decode(labels) for labels in _parts(learnt(one), end)] == ["two", "four"]
    for place, label in enumerate(one.labels[:-1]):
        assert label in (-100, one.ids[place + 1])
    assert one.labels[-1] == end


def _parts(labels: list[int], end: int | None) -> list[list[int]]:
    parts: list[list[int]] = [[]]
    for label in labels:
        if label == end:
            parts.append([])
        else:
            parts[-1].append(label)
    assert parts.pop() == []  # every answer ends
    return parts


def test_the_last_answer_alone() -> None:
    assert words().decode(learnt(encoded(Sft(turns="last"), DIALOGUE).examples[0])) == "four"


def test_plain_text_is_learnt_whole() -> None:
    one = encoded(Sft(), Example((), ("the hill",))).examples[0]
    assert [one.ids[0], *learnt(one)] == [*words().start("the hill"), *words().eos_ids]
    assert one.labels[:-1].tolist() == one.ids[1:].tolist() and one.name == "row 0"


def test_an_example_that_is_too_long() -> None:
    long = Example((Message("user", "x" * 40),), ("yes and no",), meta={"id": "long"})
    short = lessons(1)[0]
    left, right, drop = (encoded(Sft(cut=side), short, long, room=16) for side in SIDES)
    assert (left.cut, left.dropped, len(left.examples)) == (1, 0, 2)
    assert words().decode(learnt(left.examples[1])) == "yes and no"
    assert learnt(left.examples[1])[-1] in words().eos_ids
    given, one = words(), left.examples[1]
    assert one.ids.tolist()[: len(given.dialogue(_cut("x" * 40, one)))] == given.dialogue(_cut("x" * 40, one))
    assert (right.cut, right.dropped) == (drop.cut, drop.dropped) == (0, 1)
    for empty in (encoded(Sft(), short, Example(short.prompt, ())), encoded(Sft(cut="right"), short, long, room=20)):
        assert len(empty.examples) == 1
    cut = encoded(Sft(cut="right"), short, long, room=46).examples[1]
    assert words().decode(learnt(cut)) != "yes and no" and learnt(cut)[-1] not in words().eos_ids


def _cut(text: str, one: Any) -> list[Message]:
    """The prompt whose text is what is left of this one."""
    left = words().decode([int(number) for number in one.ids]).count("x")
    return [Message("user", text[len(text) - left :])]


def test_what_is_left_out_is_counted_by_example() -> None:
    short, blank = lessons(1)[0], Example((Message("user", "so"),), (" \n",))
    made = encoded(Sft(), short, blank, replace(short, answers=()), replace(short, answers=("y" * 120,)))
    assert (len(made.examples), made.cut, made.dropped) == (1, 0, 3)
    turns = tuple(Message(role, text) for text in ("one", " ", "two") for role in ("user", "assistant"))
    turns = tuple(replace(one, content="x" if one.role == "user" else one.content) for one in turns)
    made = encoded(Sft(), Example((*turns, Message("user", "y")), ("four",)))
    end = words().number("</s>")  # the blank answer between the others is read, and teaches nothing
    assert [words().decode(part) for part in _parts(learnt(made.examples[0]), end)] == ["one", "two", "four"]


def test_what_the_assistant_says_at_a_stretch_is_one_answer() -> None:
    roles = ("user", "assistant", "assistant", "user")
    prompt = tuple(Message(role, text) for role, text in zip(roles, ("a", "cat", "dog", "b"), strict=True))
    one = encoded(Sft(), Example(prompt, ("sun",))).examples[0]
    parts = _parts(learnt(one), words().number("</s>"))
    assert [words().decode(part) for part in parts] == ["cat\n\ndog", "sun"]


@pytest.mark.parametrize("prompt", [(), LONG.prompt])
def test_a_model_without_an_end_is_refused_by_name(prompt: Any, tmp_path: Path) -> None:
    given = without_end(tmp_path)
    with pytest.raises(UserError, match=r"^stop-token-untrained") as refused:
        Sft().encode(model(), Lesson([Example(prompt, ("a",))]), replace(kit(), tokenizer=given))
    assert "end token" in refused.value.hint and "template" not in refused.value.hint


def test_what_is_wrong_with_an_example_names_it() -> None:
    good = lessons(1)[0]
    for prompt, said in (("\ud800", "half a character"), (Message("root", "x"), "root")):
        asked = prompt if isinstance(prompt, Message) else Message("user", prompt)
        with pytest.raises(UserError, match=rf"^example e7: .*{said}"):
            encoded(Sft(), good, replace(good, prompt=(asked,), meta={"id": "e7"}))


@pytest.mark.parametrize(("examples", "cut"), [((), "left"), ((LONG,), "drop")])
def test_nothing_to_learn_is_refused_by_name(examples: tuple[Example, ...], cut: Any) -> None:
    with pytest.raises(UserError, match=r"^labels-all-masked"):
        encoded(Sft(cut=cut), *examples, room=20)


@pytest.mark.parametrize(("field", "value"), [("neftune", -1), ("replay", 1.0), ("replay", -0.1)])
def test_settings_out_of_range(field: str, value: float) -> None:
    with pytest.raises(UserError, match=field):
        Sft(**{field: value})  # type: ignore[arg-type]


def test_old_text_is_replayed_as_a_pretraining_reads_it() -> None:
    old = Texts((Documents.of("old", [[30, 31, 32]] * 40, [3] * 40),))
    made = encoded(Sft(replay=0.5), *lessons(20), replay=old)
    rows = made.batch(0, 3)
    assert len(rows) == 6 and [row.name.startswith("replay:old") for row in rows] == [False] * 3 + [True] * 3
    assert rows[-1].ids[:4].tolist() in ([1, 30, 31, 32], [30, 31, 32, 1], [31, 32, 1, 30], [32, 1, 30, 31])
    assert encoded(Sft(), *lessons(20), replay=old).replay is None


def test_noise_is_felt_while_it_learns_and_not_while_it_is_measured() -> None:
    net, objective = model(), Sft(neftune=5.0)
    batch = next(objective.stream(net, encoded(objective, *lessons(6)), kit(), 0))[0]
    losses = [one.loss(net.eval(), batch, kit()).total.item() for one in (objective, Sft())]
    assert losses[0] == losses[1]
    assert objective.loss(net.train(), batch, kit()).total.item() != losses[1]


def test_it_learns_and_goes_on_where_it_stood() -> None:
    how = replace(HOW, steps=20)
    whole = steps(begun(Sft(), how))
    assert whole[-1].loss < 0.3 * whole[0].loss
    training = begun(Sft(), how)
    fitted: Any = training.encoded
    rows = [batch.names for batch in next(Sft().stream(training.net, fitted, training.kit, 9))]
    assert tuple(name for names in rows for name in names) == whole[9].examples
