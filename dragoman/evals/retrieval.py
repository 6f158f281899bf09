"""How good rankings of documents are: recall, hits, precision, reciprocal rank, nDCG and MAP, query by query.

Each figure is a value a query, so that intervals and paired comparisons come from the rows like every other metric's.
A document that is ranked twice counts once, at its first place. Ideal gains are those of all relevant documents, never
of the found ones alone. Järvelin and Kekäläinen, 2002; Burges, 2005 (gains of 2^g - 1); as trec_eval counts.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dragoman.core.config import nearest
from dragoman.core.doors import Row
from dragoman.core.errors import UserError
from dragoman.core.types import Answer, Estimate
from dragoman.evals.compare import Comparison, difference
from dragoman.evals.interval import estimates

__all__ = [
    "FIGURES",
    "PerQuery",
    "Ranked",
    "average_precision",
    "compare_rankings",
    "hit",
    "ndcg",
    "precision",
    "recall",
    "reciprocal_rank",
    "score_rankings",
]

Relevance = Mapping[str, float]
"the gain of each relevant document; 0 or less is not relevant"
Measure = Callable[[Sequence[str], Relevance, int], float]
NAME = re.compile(r"(\w+?)(?:@([1-9]\d*))?")
CUT = 2**62


def recall(ranking: Sequence[str], relevance: Relevance, k: int = CUT) -> float:
    """The share of all relevant documents that stand among the first k."""
    wanted = _relevant(relevance)
    return sum(name in wanted for name in _first(ranking, k)) / len(wanted)


def hit(ranking: Sequence[str], relevance: Relevance, k: int = CUT) -> float:
    """1 where a relevant document stands among the first k, else 0: not recall, where several are relevant."""
    wanted = _relevant(relevance)
    return float(any(name in wanted for name in _first(ranking, k)))


def precision(ranking: Sequence[str], relevance: Relevance, k: int = CUT) -> float:
    """The share of the first k places that hold a relevant document; places left empty hold none.

    Without k, of the places that are filled; 0 where none is.
    """
    wanted = _relevant(relevance)
    first = list(_first(ranking, k))
    places = len(first) if k == CUT else k
    return sum(name in wanted for name in first) / places if places else 0.0


def reciprocal_rank(ranking: Sequence[str], relevance: Relevance, k: int = CUT) -> float:
    """1 / the place of the first relevant document, counted from 1; 0 where none is among the first k."""
    wanted = _relevant(relevance)
    return next((1.0 / place for place, name in enumerate(_first(ranking, k), 1) if name in wanted), 0.0)


def ndcg(ranking: Sequence[str], relevance: Relevance, k: int = CUT, exponential: bool = False) -> float:
    """The gains of the first k, each over log2(1 + its place), as a share of what the best ranking of all would have.

    The gain is that of the judgement, or 2^gain - 1 where `exponential`: the two differ where judgements are graded.
    """
    wanted = _relevant(relevance)
    gains = {name: 2.0**gain - 1.0 if exponential else gain for name, gain in wanted.items()}
    ideal = sorted(gains.values(), reverse=True)[: min(k, len(gains))]
    found = (gains.get(name, 0.0) for name in _first(ranking, k))
    return _discounted(found) / _discounted(ideal)


def average_precision(ranking: Sequence[str], relevance: Relevance, k: int = CUT) -> float:
    """The mean over all relevant documents of the precision at the place of each; one not among the first k has 0."""
    wanted = _relevant(relevance)
    total, seen = 0.0, 0
    for place, name in enumerate(_first(ranking, k), 1):
        if name in wanted:
            seen += 1
            total += seen / place
    return total / len(wanted)


def _ndcg_exp(ranking: Sequence[str], relevance: Relevance, k: int = CUT) -> float:
    return ndcg(ranking, relevance, k, exponential=True)


FIGURES: dict[str, Measure] = {
    "recall": recall,
    "hit": hit,
    "precision": precision,
    "mrr": reciprocal_rank,
    "ndcg": ndcg,
    "ndcg_exp": _ndcg_exp,
    "map": average_precision,
}
"by the name that stands before @k; each raises ValueError for a query without relevant documents"


@dataclass(frozen=True)
class PerQuery:
    """The mean over queries of a value between 0 and 1: the metric by which rows of rankings are combined."""

    higher_is_better: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    trials: ClassVar[float] = 4.0

    def measure(self, answer: Answer, references: tuple[str, ...]) -> Row:
        """Raises ValueError: a ranking is no answer, so its rows are brought along."""
        raise ValueError("rankings are measured by score_rankings")

    def of_sums(self, sums: Row, count: Row) -> Row:
        """The figure from summed rows of shape [cases, 1] over `count` rows each."""
        return sums[:, 0] / count

    def combine(self, rows: Row) -> float:
        """The mean of rows of shape [queries, 1]."""
        return float(rows.mean())


@dataclass(frozen=True)
class Ranked:
    """The values of rankings, query by query, and what was not measured."""

    queries: tuple[str, ...]
    "those with a relevant document, in the order of the judgements"

    rows: Mapping[str, Row]
    "of each figure, [queries, 1]"

    unranked: tuple[str, ...] = ()
    "queries for which nothing was found: they count, as 0"

    without: tuple[str, ...] = ()
    "queries that have no relevant document, or no judgement at all: no figure says anything of them, so they are out"

    def estimates(self, resamples: int = 2000, seed: int = 0) -> dict[str, Estimate]:
        """The mean of each figure with its 95 % interval."""
        return estimates({name: PerQuery() for name in self.rows}, self.rows, resamples=resamples, seed=seed)

    @property
    def note(self) -> str:
        """What a person should know of the queries; empty where all of them had documents and rankings."""
        said = []
        if self.without:
            said.append(f"{len(self.without):,} without a relevant document are left out ({_some(self.without)})")
        if self.unranked:
            said.append(f"{len(self.unranked):,} found nothing and count as 0 ({_some(self.unranked)})")
        total = len(self.queries) + len(self.without)
        return f"of {total:,} queries, {'; '.join(said)}" if said else ""


def score_rankings(
    rankings: Mapping[str, Sequence[str]],
    relevance: Mapping[str, Relevance],
    figures: Sequence[str] = ("ndcg@10", "map", "recall@100", "mrr"),
) -> Ranked:
    """Measure rankings, {query: names of documents, best first}, by figures such as `ndcg@10`, `ndcg_exp@10` or `map`.

    Raises UserError for an unknown figure, where no query has a relevant document, and where none of the ranked names
    stands in the judgements: then the two speak of different things.
    """
    measures = {name: _measure(name) for name in figures}
    queries = tuple(query for query, judged in relevance.items() if any(gain > 0 for gain in judged.values()))
    kept = set(queries)
    without = tuple(query for query in dict.fromkeys((*relevance, *rankings)) if query not in kept)
    if not queries:
        raise UserError("no query has a relevant document", "give for each query the names of the documents it wants")
    known = {name for query in queries for name in relevance[query]}
    ranked = {name for query in queries for name in rankings.get(query, ())}
    if ranked and not ranked & known:
        raise UserError(
            f"none of the {len(ranked):,} documents found is named in the judgements: '{min(ranked)}' is one of the "
            f"first, '{min(known)}' one of the second",
            "rank by the names of documents that the judgements use, not by those of pieces",
        )
    rows = {
        name: np.array([[measure(rankings.get(query, ()), relevance[query], k)] for query in queries])
        for name, (measure, k) in measures.items()
    }
    return Ranked(queries, rows, tuple(query for query in queries if not rankings.get(query)), without)


def compare_rankings(a: Ranked, b: Ranked, figure: str, resamples: int = 2000, seed: int = 0) -> Comparison:
    """Whether b ranks better than a on the same queries, paired. Raises UserError where it cannot be said."""
    for one in (a, b):
        if figure not in one.rows:
            raise UserError(f"the rankings were not measured by '{figure}'", nearest(figure, one.rows))
    if a.queries != b.queries:
        raise UserError("the two rankings were not made for the same queries", "measure both by the same judgements")
    return difference(PerQuery(), a.rows[figure], b.rows[figure], name=figure, resamples=resamples, seed=seed)


def _measure(name: str) -> tuple[Measure, int]:
    found = NAME.fullmatch(name)
    if not found or found[1] not in FIGURES:
        raise UserError(f"there is no figure of rankings named '{name}'", nearest(name.split("@")[0], FIGURES))
    return FIGURES[found[1]], int(found[2] or CUT)


def _relevant(relevance: Relevance) -> dict[str, float]:
    wanted = {name: gain for name, gain in relevance.items() if gain > 0}
    if not wanted:
        raise ValueError("a query without a relevant document has no such figure")
    return wanted


def _first(ranking: Sequence[str], k: int) -> Iterator[str]:
    """The first k names, each once."""
    seen: set[str] = set()
    for name in ranking:
        if len(seen) == k:
            return
        if name not in seen:
            seen.add(name)
            yield name


def _discounted(gains: Sequence[float] | Iterator[float]) -> float:
    return math.fsum(gain / math.log2(place + 1) for place, gain in enumerate(gains, 1))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
