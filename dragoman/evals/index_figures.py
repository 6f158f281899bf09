"""What an index finds and what is answered from it, question by question, each figure with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dragoman.app.passages import BRACKETED, Find
from dragoman.app.turn import Turn
from dragoman.core.documents import Chunk
from dragoman.core.types import Answer, Estimate
from dragoman.evals.interval import estimates
from dragoman.evals.questions import Question
from dragoman.evals.retrieval import PerQuery, Ranked, score_rankings
from dragoman.evals.task import METRICS, make_metrics
from dragoman.metrics._squad import plain

__all__ = ["DEPTH", "Found", "answer_figures", "bare", "find_all", "rank"]

DEPTH = 100
"places of a ranking that are looked at: MAP counts what stands behind them as not found"
HELD = "holds_answer"


@dataclass(frozen=True)
class Found:
    """The places found for each question that has any, the best first, and what each is worth."""

    rankings: Mapping[str, Sequence[str]]
    relevance: Mapping[str, Mapping[str, float]]
    "the relevant places of each question are worth 1; what was found besides, 0"


def find_all(
    questions: Sequence[Question], find: Find, depth: int = DEPTH, access: frozenset[str] = frozenset()
) -> Found:
    """Search for every question whose relevant places are known.

    A found piece stands for the relevant places it is of, and else for itself, or for its source where sources alone
    are relevant; each counts once, at its first place.
    """
    rankings: dict[str, list[str]] = {}
    relevance: dict[str, dict[str, float]] = {}
    for one in questions:
        if not one.relevant:
            continue
        hits = find(one.text, depth, access)
        rankings[one.id] = list(dict.fromkeys(name for hit in hits for name in _names(hit.chunk, one)))
        relevance[one.id] = {**dict.fromkeys(rankings[one.id], 0.0), **{place.name: 1.0 for place in one.relevant}}
    return Found(rankings, relevance)


def _names(chunk: Chunk, question: Question) -> list[str]:
    found = [place.name for place in question.relevant if place.holds(chunk)]
    if found:
        return found
    return [f"{chunk.source}#{chunk.number}" if any(place.end for place in question.relevant) else chunk.source]


def rank(found: Found, k: int) -> Ranked:
    """The figures of the rankings: recall@k, MRR, nDCG@10 and MAP. Raises UserError where no question has a place."""
    return score_rankings(found.rankings, found.relevance, (f"recall@{k}", "mrr", "ndcg@10", "map"))


def answer_figures(
    questions: Sequence[Question], turns: Sequence[Turn], resamples: int = 2000, seed: int = 0
) -> dict[str, Estimate]:
    """The figures of answers, one turn a question; what no question can tell is left out.

    exact_match, token_f1 and holds_answer (a reference stands in the answer word for word) are of the questions whose
    answers are known, without the numbers of passages, and a refusal is an empty answer. groundedness and
    citation_precision are of what was answered. A question without answers and places is rightly refused, and no
    other is.
    """
    known = [(one, turn) for one, turn in zip(questions, turns, strict=True) if one.answers]
    figures: dict[str, Estimate] = {}
    if known:
        metrics = make_metrics(("exact_match", "token_f1"), (), kind="answer")
        said = [Answer(bare(turn)) for _, turn in known]
        rows = {
            name: np.stack([metric.measure(answer, one.answers) for answer, (one, _) in zip(said, known, strict=True)])
            for name, metric in metrics.items()
        }
        rows[HELD] = np.array([[_holds(turn, one.answers)] for one, turn in known])
        figures |= estimates({**metrics, HELD: PerQuery()}, rows, resamples=resamples, seed=seed)
    for name in ("groundedness", "citation_precision"):
        needed = tuple(getattr(METRICS.kind(name), "needs", ()))
        told = [turn.answer for turn in turns if not turn.refused and all(one in turn.answer.scores for one in needed)]
        figures |= _figure(name, [(answer, ()) for answer in told], resamples, seed)
    # Measured on the rows that bear on them alone: the others would make their intervals look surer than they are.
    pairs = [(turn, ("known",) if one.answerable else ()) for one, turn in zip(questions, turns, strict=True)]
    refused = [(turn.answer, references) for turn, references in pairs if turn.refused]
    without = [(turn.answer, references) for turn, references in pairs if not references]
    figures |= _figure("refusal_precision", refused, resamples, seed)
    return figures | _figure("refusal_recall", without, resamples, seed)


def _figure(
    name: str, pairs: Sequence[tuple[Answer, tuple[str, ...]]], resamples: int, seed: int
) -> dict[str, Estimate]:
    """The figure of one metric; none where there is no row."""
    if not pairs:
        return {}
    (metric,) = make_metrics((name,), (), kind="answer").values()
    rows = np.stack([metric.measure(answer, references) for answer, references in pairs])
    return estimates({name: metric}, {name: rows}, resamples=resamples, seed=seed)


def bare(turn: Turn) -> str:
    """The answer without the numbers of its passages; nothing where it was refused."""
    return "" if turn.refused else " ".join(BRACKETED.sub(" ", turn.answer.text).split())


def _holds(turn: Turn, references: Sequence[str]) -> float:
    """Whether a reference stands in the answer as whole words, in lower case, without punctuation and articles."""
    said = f" {plain(bare(turn))} "
    return float(any(f" {plain(one)} " in said for one in references if plain(one)))
