"""The figures of an index equal those that are counted by hand, and of what cannot be told there is none."""

import math
import random

import pytest

from dragoman.app.passages import Find
from dragoman.app.turn import Turn
from dragoman.core.documents import NOT_IN_DOCUMENTS, Chunk, Hit
from dragoman.core.types import Answer
from dragoman.evals.index_figures import answer_figures, bare, find_all, rank
from dragoman.evals.questions import Place, Question

PIECES = [Chunk(f"{number // 4}.md", number % 4, 40 * (number % 4), 40 * (number % 4) + 50, "") for number in range(40)]


def scripted(orders: dict[str, list[Chunk]]) -> Find:
    """Finds what was written down for each question."""

    def find(question: str, k: int, access: frozenset[str]) -> list[Hit]:
        return [Hit(chunk, 1.0 / rank) for rank, chunk in enumerate(orders[question][:k], 1)]

    return find


def by_hand(order: list[Chunk], places: tuple[Place, ...], k: int) -> tuple[float, float, float, float]:
    """Recall@k, reciprocal rank, nDCG@10 and average precision, place by place and without the library."""
    names: list[str] = []
    for chunk in order:
        held = [place.name for place in places if place.holds(chunk)]
        own = chunk.source if all(not place.end for place in places) else f"{chunk.source}#{chunk.number}"
        names += [name for name in held or [own] if name not in names]
    right = [place.name for place in places]
    at = [names.index(name) + 1 for name in right if name in names]
    recall = sum(rank <= k for rank in at) / len(right)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(right), 10) + 1))
    gain = sum(1 / math.log2(rank + 1) for rank in at if rank <= 10)
    precision = sum((place + 1) / rank for place, rank in enumerate(sorted(at))) / len(right)
    return recall, 1 / min(at) if at else 0.0, gain / ideal, precision


def test_rankings_are_worth_what_is_counted_by_hand() -> None:
    drawn = random.Random(0)
    questions, orders = [], {}
    for number in range(60):
        sources = drawn.sample(range(10), drawn.randint(1, 3))
        whole = drawn.random() < 0.5
        spans = [(start := drawn.randrange(150), start + drawn.randint(1, 40)) for _ in sources]
        places = tuple(
            Place(f"{one}.md", *((0, 0) if whole else span)) for one, span in zip(sources, spans, strict=True)
        )
        questions.append(Question(str(number), f"q{number}", (), places))
        orders[f"q{number}"] = drawn.sample(PIECES, drawn.randint(0, 40))
    found = rank(find_all(questions, scripted(orders)), 5)
    hands = [by_hand(orders[one.text], one.relevant, 5) for one in questions]
    for column, name in enumerate(("recall@5", "mrr", "ndcg@10", "map")):
        assert found.rows[name][:, 0] == pytest.approx([hand[column] for hand in hands], abs=1e-12), name
    assert found.estimates()["map"].value == pytest.approx(sum(hand[3] for hand in hands) / 60)


def test_a_question_without_a_place_is_in_no_ranking() -> None:
    one = Question("1", "a", (), (Place("0.md"),))
    found = find_all([one, Question("2", "b", ("yes",))], scripted({"a": PIECES[:1], "b": PIECES}))
    assert list(found.rankings) == ["1"]


def turn(text: str, right: float = 1.0, refused: bool = False) -> Turn:
    """An answer with two sentences and two citations, of which so many hold."""
    scores = {"sentences": 2.0, "supported_sentences": right, "citations": 2.0, "right_citations": right}
    return Turn("", answer=Answer(text, scores={} if refused else scores), refused=refused)


def test_answers_are_worth_what_is_counted_by_hand() -> None:
    asked = [
        Question("1", "a", ("330 metres",), (Place("a"),)),
        Question("2", "b", ("Eiffel", "Gustave Eiffel")),
        Question("3", "c", (), (Place("a"),)),  # its answer is not known
        Question("4", "d"),
        Question("5", "e"),
        Question("6", "f", ("bees",)),
    ]
    no = turn(NOT_IN_DOCUMENTS, refused=True)
    said = [turn("The 330 metres. [1]", 2.0), turn("Built by Gustave Eiffel [2].", 1.0), turn("Yes [1]", 2.0), no]
    figures = {name: one.value for name, one in answer_figures(asked, [*said, turn("No [3]", 0.0), no]).items()}
    assert figures["exact_match"] == pytest.approx(1 / 3)
    assert figures["token_f1"] == pytest.approx((1 + 2 * 2 / 6 + 0) / 3)
    assert figures["holds_answer"] == pytest.approx(2 / 3)
    assert figures["groundedness"] == figures["citation_precision"] == pytest.approx(5 / 8)
    assert figures["refusal_precision"] == 0.5 and figures["refusal_recall"] == 0.5
    assert bare(said[0]) == "The 330 metres." and bare(no) == ""


def test_what_no_question_can_tell_has_no_figure() -> None:
    one = answer_figures([Question("1", "a", (), (Place("a"),))], [turn("So [1]", 2.0)])
    assert set(one) == {"groundedness", "citation_precision"}
    two = answer_figures([Question("1", "a")], [turn(NOT_IN_DOCUMENTS, refused=True)])
    assert set(two) == {"refusal_precision", "refusal_recall"}
    # One refusal says little, however many other questions were asked.
    asked = [Question(str(number), "a", ("x",)) for number in range(50)]
    refusal = answer_figures(asked, [turn("x")] * 49 + [turn(NOT_IN_DOCUMENTS, refused=True)])["refusal_precision"]
    assert refusal.n == 1 and refusal.value == 0 and refusal.high > 0.7
