"""Figures of rankings: equal to a brute force, with intervals and paired comparisons, and no query lost in silence."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.evals.retrieval import FIGURES, compare_rankings, score_rankings

DOCUMENTS = [f"d{number}" for number in range(12)]


def by_force(name: str, ranking: list[str], relevance: dict[str, float], k: int) -> float:
    """Each figure as its definition says, over whole matrices of places and with no shared code."""
    once = [doc for place, doc in enumerate(ranking) if doc not in ranking[:place]]
    gains = np.array([max(relevance.get(doc, 0.0), 0.0) for doc in once])[:k]
    rest = np.array(sorted((gain for gain in relevance.values() if gain > 0), reverse=True))
    good = gains > 0
    if name == "recall":
        return float(good.sum()) / len(rest)
    if name == "hit":
        return float(good.any())
    if name == "precision":
        return float(good.sum()) / k
    if name == "mrr":
        return 1.0 / (1 + int(np.argmax(good))) if good.any() else 0.0
    if name == "map":
        until = [good[: place + 1].mean() for place in range(len(good))]
        return float(sum(share for share, is_good in zip(until, good, strict=True) if is_good)) / len(rest)
    if name == "ndcg_exp":
        gains, rest = np.exp2(gains) - 1, np.exp2(rest) - 1
    rest = rest[:k]
    weights = np.log(2) / np.log(np.arange(2, 2 + max(len(gains), len(rest))))
    return float(gains @ weights[: len(gains)]) / float(rest @ weights[: len(rest)])


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(st.sampled_from(DOCUMENTS), max_size=16),
    st.dictionaries(st.sampled_from(DOCUMENTS), st.sampled_from((-1.0, 0.0, 0.5, 1.0, 2.0, 3.0)), max_size=9),
    st.integers(1, 14),
)
def test_every_figure_equals_a_brute_force(ranking: list[str], relevance: dict[str, float], k: int) -> None:
    relevance = {**relevance, "d0": 1.0}
    for name, measure in FIGURES.items():
        assert measure(ranking, relevance, k) == pytest.approx(by_force(name, ranking, relevance, k), abs=1e-12), name


def test_figures_of_a_ranking_worked_by_hand() -> None:
    ranking, relevance = ["b", "x", "b", "a"], {"a": 3.0, "b": 1.0, "c": 2.0, "x": 0.0}
    found = score_rankings(
        {"q": ranking}, {"q": relevance}, ["ndcg@2", "ndcg_exp@3", "map", "mrr", "recall@2", "hit@1"]
    )
    log = math.log2(3)
    wanted = {
        "ndcg@2": 1 / (3 + 2 / log),
        "ndcg_exp@3": (1 + 7 / 2) / (7 + 3 / log + 1 / 2),
        "map": (1 + 2 / 3) / 3,
        "mrr": 1.0,
        "recall@2": 1 / 3,
        "hit@1": 1.0,
    }
    assert {name: float(rows[0, 0]) for name, rows in found.rows.items()} == pytest.approx(wanted, abs=1e-12)


def test_pieces_of_one_document_do_not_make_its_recall_larger() -> None:
    assert FIGURES["recall"](["a", "a", "a"], {"a": 1, "b": 1}, 10) == 0.5
    assert FIGURES["precision"](["a", "a", "b"], {"a": 1, "b": 1}, 2) == 1.0


def test_queries_without_documents_and_without_rankings_are_said() -> None:
    relevance = {"1": {"a": 1.0}, "2": {"a": 0.0}, "3": {}, "4": {"b": 1.0}}
    found = score_rankings({"1": ["a"], "2": ["a"], "5": ["a"]}, relevance, ["mrr"])
    assert found.queries == ("1", "4") and found.without == ("2", "3", "5") and found.unranked == ("4",)
    assert found.rows["mrr"].tolist() == [[1.0], [0.0]]
    assert "of 5 queries, 3 without a relevant document are left out (2, 3, 5)" in found.note
    assert "1 found nothing and count as 0 (4)" in found.note
    assert score_rankings({"1": ["a"]}, {"1": {"a": 1}}).note == ""


def test_intervals_and_the_paired_difference() -> None:
    draw = random.Random(0)
    relevance = {str(query): {"a": 1.0} for query in range(200)}
    weak = {query: draw.sample(["a", "b", "c", "d"], 4) for query in relevance}
    strong = {query: ["a", "b"] if draw.random() < 0.3 else ranking for query, ranking in weak.items()}
    a, b = (score_rankings(one, relevance, ["mrr", "hit@1"]) for one in (weak, strong))
    figure = a.estimates()["mrr"]
    assert figure.low < (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4 < figure.high and figure.n == 200
    gap = compare_rankings(a, b, "mrr")
    assert gap.better == "b" and gap.difference.low > 0
    assert gap.difference.high - gap.difference.low < 0.8 * (figure.high - figure.low) * math.sqrt(2)
    assert compare_rankings(a, b, "hit@1").test == "McNemar, mid-p"
    assert compare_rankings(a, a, "mrr").better == "tie"


def test_what_cannot_be_measured_is_named() -> None:
    relevance = {"1": {"a": 1.0}}
    for rankings, judged, figures in (
        ({"1": ["a"]}, relevance, ["ndgc@10"]),
        ({"1": ["a"]}, relevance, ["ndcg@0"]),
        ({"1": ["a"]}, {"1": {}}, ["mrr"]),
        ({"1": ["a#0", "a#1"]}, relevance, ["mrr"]),  # names of pieces
    ):
        with pytest.raises(UserError) as caught:
            score_rankings(rankings, judged, figures)
        assert caught.value.hint
    a = score_rankings({"1": ["a"]}, relevance, ["mrr"])
    other = score_rankings({"2": ["a"]}, {"2": {"a": 1.0}}, ["mrr"])
    for figure, b in (("map", a), ("mrr", other)):
        with pytest.raises(UserError):
            compare_rankings(a, b, figure)
