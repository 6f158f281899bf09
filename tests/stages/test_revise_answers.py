"""Critique and revision over many rows: fewer faults each round, no critique in what is learnt, faults counted."""

import itertools
import re

from dragoman.app.constitution import default_constitution
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.show import silent
from dragoman.core.types import Message
from dragoman.data.asked_rows import Asked
from dragoman.stages.revise_answers import Revisions, revise_answers, share
from tests.app.planted import Planted, answer_to, zaps

RULES, RULE = default_constitution(), re.compile(r"\bzap\b")


def rows(count: int, benign: bool = False) -> list[Asked]:
    return [Asked(str(row), (Message("user", f"q{row}"),), benign=benign) for row in range(count)]


def made(asked: list[Asked], model: Planted, critic: Planted | None = None, rounds: int = 4) -> Revisions:
    return revise_answers(asked, model, critic or model, RULES, silent, rounds=rounds, rule=RULE)


def test_the_planted_fault_falls_with_every_revision() -> None:
    found = made(rows(100), Planted())
    rates = [sum(seen) / len(seen) for seen in found.violations]
    assert rates[0] == 1.0 and rates[4] == 0.0
    assert all(later < earlier for earlier, later in itertools.pairwise(rates))
    assert len(found.rows) == 100 and not found.left_out and not found.dropped
    assert found.rows == made(rows(100), Planted()).rows


def test_a_row_to_learn_holds_no_critique() -> None:
    found = made(rows(30), Planted())
    for row, asked in zip(found.rows, rows(30), strict=True):
        question = asked.prompt[0].content
        said = [(one["role"], one["content"]) for one in row["messages"]]
        assert said == [("user", question), ("assistant", f"the answer to {question}")]
        assert len(set(row["principles"])) == 4
    assert not any(word in str(found.rows) for word in ("forbidden", "blame", "Revision", "Critique"))
    assert len({row["principles"][0] for row in found.rows}) == 8  # never a fixed one


def test_the_critic_finds_and_the_model_rewrites() -> None:
    model, critic = Planted(), Planted()
    made(rows(5), model, critic, rounds=1)
    assert [asked[-1].content.count("Critique request:") for asked in critic.asked] == [1] * 5
    assert len(model.asked) == 10  # five answers, five revisions


def test_revisions_that_are_none_are_not_taken_and_counted() -> None:
    words = {
        "q0": [Completion("zap zap fine 0"), Completion(" ")],
        "q1": [Completion("zap zap fine 1"), Completion("zap and", finish="length")],
        "q2": [Completion("zap zap fine 2"), Completion("I'm sorry, but I can't help with that.")],
        "q3": [Completion("zap zap fine 3"), Completion("It says the forbidden word 2 times over. So: fine")],
        "q4": [Completion("zap zap fine 4"), Completion("zap fine 4")],
        "q5": [Completion("")],
    }

    class Scripted(Planted):
        def generate(self, prompts, how):  # type: ignore[no-untyped-def]
            found = []
            for prompt in prompts:
                names = re.findall(r"\bq\d\b", " ".join(one.content for one in prompt))
                found.append(words[names[0]]["Revision request:" in prompt[-1].content])
            return found

    found = made(rows(6, benign=True), Scripted(), Planted(), rounds=2)
    assert [row["id"] for row in found.rows] == ["4"]
    wrong = ("empty", "that did not end", "that refuse", "that repeat the critique")
    assert found.left_out == {**dict.fromkeys(wrong, 1), "no first answer": 1}
    assert {name: found.dropped[name] for name in wrong[:3]} == dict.fromkeys(wrong[:3], 2)
    assert [sum(seen) for seen in found.refusals] == [0, 1, 1] and len(found.refusals[0]) == 5
    kept = revise_answers(
        rows(3)[2:], Scripted(), Planted(), RULES, silent, rounds=1, how=Sampling(), keep_refusals=True
    )
    assert len(kept.rows) == 1 and not kept.violations


def test_shares() -> None:
    assert share([]) is None
    one = share([True, False, False, False])
    assert one is not None and (one.value, one.n) == (0.25, 4) and one.low < 0.25 < one.high
    assert zaps(answer_to("q0")) >= 1
