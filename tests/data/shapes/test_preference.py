"""Two answers to one prompt, in each form that public sets have them."""

from typing import Any

import pytest

from dragoman.data.shapes.preference import Preference
from dragoman.data.shaping import Wanted
from tests.data.shapes.reading import notes, refused, schema, shaped, turns

ASKED = {"role": "user", "content": "Hello."}
ROW = {"prompt": "Hello.", "chosen": "Good day.", "rejected": "Go away."}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("values", "prompt"),
    [
        (ROW, "prompt"),
        ({**ROW, "prompt": [ASKED]}, "prompt"),
        ({**ROW, "chosen": [said("Good day.")], "rejected": [said("Go away.")]}, "prompt"),
        ({**ROW, "chosen": [ASKED, said("Good day.")], "rejected": [ASKED, said("Go away.")]}, "prompt"),
        ({"chosen": [ASKED, said("Good day.")], "rejected": [ASKED, said("Go away.")]}, ""),
        ({**ROW, "prompt": "\n\nHuman: Hello.\n\nAssistant:"}, "prompt"),
        (
            {
                "chosen": "\n\nHuman: Hello.\n\nAssistant: Good day.",
                "rejected": "\n\nHuman: Hello.\n\nAssistant: Go away.",
            },
            "",
        ),
        (
            {**ROW, "prompt": [{"from": "human", "value": "Hello."}], "chosen": {"from": "gpt", "value": "Good day."}},
            "prompt",
        ),
    ],
)
def test_every_form_gives_the_same_example(values: dict[str, Any], prompt: str) -> None:
    example = shaped(Preference(prompt), values)
    assert turns(example) == [("user", "Hello.")]
    assert (example.answers, example.rejected) == (("Good day.",), "Go away.")


def test_an_instruction_with_its_input() -> None:
    row = {"instruction": "Greet.", "input": "Ann", "output": "x", "chosen": "Good day.", "rejected": "Go away."}
    shape, _ = Preference.choose(schema(row), Wanted())
    assert shape == Preference("instruction", "input")
    assert shaped(shape, row).text == "Greet.\n\nAnn"


def test_a_shared_beginning_is_split_off() -> None:
    before = "\n\nHuman: Hello.\n\nAssistant: Hello.\n\nHuman: And?\n\nAssistant:"
    example = shaped(Preference(""), {"chosen": before + " Well.", "rejected": before + " So?"})
    assert [who for who, _ in turns(example)] == ["user", "assistant", "user"]


def test_equal_answers_are_counted() -> None:
    assert notes(Preference(), {**ROW, "rejected": "Good day."}) == ("equal-answers",)


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"prompt": ""}, "empty-text"),
        ({"prompt": 5}, "wrong-type"),
        ({"prompt": [said("x")]}, "no-question"),
        ({"chosen": ""}, "empty-answer"),
        ({"chosen": []}, "wrong-type"),
        ({"chosen": None}, "missing-value"),
        ({"chosen": {"role": "nobody", "content": ""}}, "unknown-role"),
        ({"chosen": [ASKED]}, "empty-answer"),
        ({"chosen": [ASKED, said("a"), ASKED, said("b")], "rejected": [ASKED, said("c")]}, "no-shared-prompt"),
    ],
)
def test_what_is_refused(more: dict[str, Any], name: str) -> None:
    assert refused(Preference(), {**ROW, **more}) == name


def test_two_texts_without_a_prompt_are_refused() -> None:
    assert refused(Preference(""), ROW) == "no-question"
    found, words = Preference.choose(schema({"chosen": "a", "rejected": "b"}), Wanted())
    assert (found.prompt, words[-1]) == ("", "the prompt is what the two dialogues share")


@pytest.mark.parametrize(
    ("more", "margin"),
    [
        ({"score_chosen": 8.5, "score_rejected": 6}, 2.5),
        ({"chosen_rating": "4", "rejected_rating": "1"}, 3.0),
        ({"margin": 0.5}, 0.5),
        ({"score_chosen": 8.5, "score_rejected": None}, None),
    ],
)
def test_the_difference_of_the_scores(more: dict[str, Any], margin: float | None) -> None:
    shape, _ = Preference.choose(schema({**ROW, **more}), Wanted())
    assert shaped(shape, {**ROW, **more}).meta.get("margin") == margin


def test_scores_that_say_the_opposite_are_left_out() -> None:
    row = {**ROW, "score_chosen": 1, "score_rejected": 2}
    shape, _ = Preference.choose(schema(row), Wanted())
    assert "margin" not in shaped(shape, row).meta
    assert notes(shape, row) == ("scores-disagree",)


def test_an_answer_that_says_assistant_itself_is_one_answer() -> None:
    before = "\n\nHuman: Hello.\n\nAssistant:"
    row = {"chosen": f"{before} Well:\n\nAssistant:  so.", "rejected": f"{before} No."}
    assert shaped(Preference(""), row).answers == ("Well:\n\nso.",)
