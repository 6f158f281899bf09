"""Rows after the pattern of a few: each filter by name, balance, and the same rows from the same seed."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from dragoman.app.self_instruct import LABELLED, PROMPT, WRITTEN, Pattern, Sieve, self_instruct
from dragoman.core.doors import Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.data.dedupe import canonical, similarity
from dragoman.data.language import hint
from dragoman.metrics._rouge import rouge_l
from dragoman.metrics.refusal import refuses

SIEVE = Sieve(rouge_l, similarity, canonical, hint, refuses)
SEEDS = [
    Pattern("a", "Name the capital of the country that is given here.", "Paris", "France"),
    Pattern(
        "b", "Turn the sentence into a question that can be answered with yes.", "Is it raining?", "It is raining."
    ),
    Pattern("c", "Say in one word what the animal of the text eats most of the day.", "Grass"),
]
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "ledge"]


@dataclass
class Author:
    """Writes what `say` gives for the number of the prompt and what stood in it."""

    say: Callable[[int, Any], Any]
    finish: str = "stop"
    hows: list[Sampling] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """One text a prompt."""
        self.hows.append(how)
        found = []
        for prompt in prompts:
            asked = json.loads(prompt[-1].content)
            self.seen.append(asked)
            said = self.say(asked["number"], asked)
            found.append(Completion(said if isinstance(said, str) else json.dumps(said), 5, self.finish))
        return found

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """Nothing."""
        return iter(())


def row(number: int, output: str = "yes") -> dict[str, str]:
    """An example unlike any other."""
    names = [WORDS[(number * step + step) % len(WORDS)] for step in (1, 5, 7, 11)]
    return {
        "instruction": f"{names[0]} {number} {names[1]} {names[2]}{number} {names[3]}",
        "input": "",
        "output": output,
    }


def test_rows_say_who_made_them_of_what() -> None:
    author = Author(lambda number, asked: row(number))
    made = self_instruct(SEEDS, author, 20, SIEVE, by="scripted", shown=4)  # type: ignore[arg-type]
    assert len(made.rows) == 20 and len({one["instruction"] for one in made.rows}) == 20
    for one in made.rows:
        assert (one["generated"], one["by"], one["prompt_hash"]) == (True, "scripted", PROMPT[WRITTEN])
        assert set(one["seeds"]) <= {"a", "b", "c"} | {other["id"] for other in made.rows}
    schema = json.loads(author.hows[0].json_schema)
    assert schema["required"] == list(WRITTEN) and not schema["additionalProperties"]
    first, last = author.seen[0]["examples"], author.seen[-1]["examples"]
    assert len(first) == 3 and len(last) == 4  # of those that were kept, two at the most are shown
    assert sum(one["output"] == "yes" for one in last) == 2
    assert any(one["input"] == "France" for one in first)


WRONG = {
    "not of the form that was asked for": "no JSON at all",
    "empty": {"instruction": " ", "input": "", "output": "yes"},
    "too short or too long": {"instruction": "go " * 200, "input": "", "output": "yes"},
    "that refuse": row(90, "I'm sorry, but I can't help with that."),
    "that answer with the question": row(91, row(91)["instruction"].upper()),
    "that are a seed": {"instruction": SEEDS[2].asked.upper(), "input": "", "output": "Hay"},
    "in another language": {
        "instruction": "Sage, was die Frau mit dem Hund und der Mann auf der Straße für das Kind getan haben.",
        "input": "",
        "output": "Nichts",
    },
    "too like another (ROUGE-L)": {
        "instruction": "Name the capital of the country that is given below.",
        "input": "France",
        "output": "Rome",
    },
    "too like another (letters)": {
        "instruction": "動物が一日の大半に何を食べるか一語で答えて",
        "input": "",
        "output": "草",
    },
    "that are there already": row(0),
}


def test_each_filter_by_its_name() -> None:
    """The seventh seed is in a script that ROUGE has no words for."""
    seeds = [*SEEDS, Pattern("d", "動物が一日の大半に何を食べるか一語で答えてね", "草", "")]
    wrong = list(WRONG.values())
    author = Author(lambda number, asked: row(0) if number == 0 else wrong[(number - 1) % len(wrong)])
    sieve = replace(SIEVE, language=lambda text: "unknown" if "動物" in text else hint(text))
    made = self_instruct(seeds, author, 3, replace(sieve, most_near=0.75), tries=4)  # type: ignore[arg-type]
    assert [one["instruction"] for one in made.rows] == [row(0)["instruction"]]
    assert made.asked == 12
    assert made.left_out == dict.fromkeys(WRONG, 1) | {"not of the form that was asked for": 2}
    cut = Author(lambda number, asked: row(number), finish="length")
    with pytest.raises(UserError, match="of 4 examples none can be kept: 4 that did not end"):
        self_instruct(SEEDS, cut, 1, SIEVE)  # type: ignore[arg-type]


def test_labels_keep_their_balance_whatever_is_left_out() -> None:
    """Three of four seeds are good; what is written for `bad` fails every other time."""
    seeds = [Pattern(str(place), f"{one} made my day today", "good") for place, one in enumerate(WORDS[:9])]
    seeds += [Pattern(f"x{place}", f"{one} broke on the way", "bad") for place, one in enumerate(WORDS[9:])]

    def say(number: int, asked: Any) -> Any:
        return {"text": "" if asked["label"] == "bad" and number % 2 else row(number)["instruction"]}

    author = Author(say)
    made = self_instruct(seeds, author, 20, SIEVE, labels={"good": "praise", "bad": "blame"}, tries=9)  # type: ignore[arg-type]
    labels = [one["label"] for one in made.rows]
    assert (labels.count("good"), labels.count("bad")) == (15, 5)
    assert made.rows[0]["prompt_hash"] == PROMPT[LABELLED] and "instruction" not in made.rows[0]
    for asked in author.seen:
        assert asked["which means"] in ("praise", "blame")
        assert {"good", "bad"} == {one["label"] for one in asked["examples"]}


def test_the_same_seed_writes_the_same_rows() -> None:
    def shown(asked: Any) -> str:
        return json.dumps(asked["examples"])

    def say(number: int, asked: Any) -> Any:
        return row(number + 50 * len(shown(asked)))

    found = [self_instruct(SEEDS, Author(say), 12, SIEVE, shown=2, seed=seed).rows for seed in (3, 3, 4)]  # type: ignore[arg-type]
    assert found[0] == found[1] != found[2]


def test_no_seed_is_one_message() -> None:
    with pytest.raises(UserError, match="no seed"):
        self_instruct([], Author(lambda number, asked: ""), 3, SIEVE)  # type: ignore[arg-type]
