"""Measures an index on questions: what it finds, what is answered from it, and when it should rather not answer."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.app.passages import named, numbered
from dragoman.app.refusal import surety
from dragoman.app.turn import Turn
from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.documents import Hit, Not, OneOf
from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards
from dragoman.core.project import Project, load, locate
from dragoman.core.runs import Run
from dragoman.core.show import Show, Tick, many
from dragoman.core.types import Estimate
from dragoman.data.dedupe import canonical, words_of
from dragoman.evals.index_figures import DEPTH, answer_figures, find_all, rank
from dragoman.evals.off_topic import OFF_TOPIC, speaks_of
from dragoman.evals.questions import Question, row_of
from dragoman.evals.refusals import NEAR_MISS, UNANSWERED, auroc, choose, refused_share
from dragoman.evals.refusals import OFF_TOPIC as ELSEWHERE
from dragoman.evals.retrieval import compare_rankings
from dragoman.stages.answering import Answering
from dragoman.stages.evaluate_index_view import show_index
from dragoman.stages.guarded import kept, open_around
from dragoman.stages.questions import MAKE, make_questions, origin_of, read_for
from dragoman.stages.shelf import REFUSAL, Shelf, answering, guards_of, open_shelf, ranked, ranker_of, threshold_of

if TYPE_CHECKING:
    from dragoman.stages.evaluate import Settings

__all__ = ["evaluate_index"]

ANSWERS = "answers"
AWAY = ("openai:", "fake:")
"models of engines, of which nothing is known but the name"
TOGETHER = 16
ANSWERABLE = "answerable"


@dataclass(frozen=True)
class _Work:
    """An index with who asks it, how, and on what."""

    shelf: Shelf
    how: Answering
    access: frozenset[str]
    questions: tuple[Question, ...]

    @property
    def plain(self) -> Shelf:
        """The index without what rates again."""
        return replace(self.shelf, rate=None)

    def search(self, question: str, k: int = 0) -> list[Hit]:
        """The best pieces for a question, as many as an answer is made of."""
        return self.shelf.find()(question, k or self.how.k, self.access)


def evaluate_index(path: str, settings: "Settings", words: Sequence[str], show: Show) -> int:
    """Measure an index on the questions of a file, or on such that are made from its documents first."""
    if words:
        raise UserError(
            f"an index is measured on questions, and '{words[0]}' is a project's setting",
            f"name a file of questions: dragoman evaluate {path} QUESTIONS.jsonl",
        )
    if not settings.questions:
        raise UserError(
            "dragoman evaluate needs questions to measure an index on",
            f"name a file, or have some made: dragoman evaluate {path} questions=make",
        )
    if settings.calibrate and settings.how.threshold is not None:
        raise UserError("a threshold that is given is not chosen", "leave out threshold=, or calibrate=true")
    shelf = ranked(open_shelf(path), settings.how.rerank)
    file = Path(settings.questions)
    with show.board(f"evaluate {Path(path).name}") as board:
        if settings.questions == MAKE and not file.exists():
            file = Path(settings.out)
            with board.step("questions") as tick:
                made = make_questions(shelf, path, file, settings.n, settings.writer or settings.model, tick)
                tick(1.0, f"{many(len(made.questions), 'question')} in {file}, to be reviewed")
        questions, absent = read_for(shelf, file)
        work = _Work(shelf, settings.how, frozenset(settings.access), questions)
        run = Run.begin(_root(settings), "evaluate", _settings(settings, shelf), _inputs(shelf, file, settings))
        if not run.finished:
            lm = _opened(settings.model)
            with board.step("evaluate") as tick:
                run = _measured(run, work, settings, lm, tick)
    record = {**run.results, "index": path, "questions": str(file), "run": run.id, "absent": list(absent)}
    if learnt := _learnt(settings.how.rerank, questions):
        record["learnt"] = learnt
    if settings.calibrate:
        shelf.store.note(REFUSAL, json.dumps(run.results["calibrated"]))
    show_index(record, show)
    shelf.store.close()
    return 0


def _learnt(rerank: str, questions: Sequence[Question]) -> int:
    """How many of the questions taught what ranks again, where it is a run whose rows are still there."""
    folder = Path(ranker_of(rerank)[0]).parent if rerank else None
    if folder is None or not (folder / "run.json").is_file():
        return 0
    from dragoman.stages.prepare import learnt_by

    taught = {canonical(words_of(row)) for row in learnt_by(Run.open(folder))}
    return sum(canonical(one.text) in taught for one in questions)


def _measured(run: Run, work: _Work, settings: "Settings", lm: LM | None, tick: Tick) -> Run:
    """All figures of a run, and its answers as a file of one line a question."""
    tick(0.0, "searching")
    retrieval, comparisons = _retrieval(work)
    tick(0.3, "questions without an answer")
    sureties = _sureties(work)
    calibrated = _calibrated(work, sureties, settings.most_false_refusals) if settings.calibrate else None
    threshold = calibrated["threshold"] if calibrated else threshold_of(work.shelf, work.how).value
    around = open_around(kept(Project(guards=guards_of(work.shelf, Guards()))))
    how = work.how if work.how.tools else replace(work.how, threshold=threshold)  # with tools none is looked at
    assistant = answering(work.shelf, how, lm, settings.access, around)
    turns: list[Turn] = []
    for start in range(0, len(work.questions), TOGETHER):
        part = work.questions[start : start + TOGETHER]
        turns += assistant.answer([one.text for one in part])
        tick(0.4 + 0.6 * len(turns) / len(work.questions), f"{len(turns):,} of {len(work.questions):,} answered")
    answers = answer_figures(work.questions, turns)
    refusal = {
        kind: {
            "n": len(found),
            "refused": asdict(refused_share(found, threshold)),
            **({"auroc": asdict(auroc(sureties[ANSWERABLE], found))} if _apart(kind, sureties) else {}),
        }
        for kind, found in sureties.items()
        if found
    }
    rows = [_row(*pair) for pair in zip(work.questions, turns, strict=True)]

    def fill(stage: Path) -> None:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (stage / "answers.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    durable.publish(run.folder / ANSWERS, fill)
    served = next(reversed(retrieval.values()), {})
    origin = "calibrated" if calibrated else threshold_of(work.shelf, work.how).origin
    return run.finish(
        {
            "metrics": {name: asdict(one) for name, one in {**served, **answers}.items()},
            "retrieval": {way: {name: asdict(one) for name, one in of.items()} for way, of in retrieval.items()},
            "comparisons": comparisons,
            "answers": {name: asdict(one) for name, one in answers.items()},
            "refusal": refusal,
            "threshold": {"value": threshold, "origin": origin},
            "asked": len(work.questions),
            "generated": sum(bool(one.by) for one in work.questions),
            "origin": origin_of(work.questions),
            **({"calibrated": calibrated} if calibrated else {}),
        },
        published=(ANSWERS,),
    )


def _apart(kind: str, sureties: Mapping[str, Sequence[float]]) -> bool:
    return kind != ANSWERABLE and bool(sureties[ANSWERABLE])


def _retrieval(work: _Work) -> tuple[dict[str, dict[str, Estimate]], list[dict[str, Any]]]:
    """The figures of each way of searching, the one that answers last, and what it gains on words alone."""
    if not any(one.relevant for one in work.questions):
        return {}, []
    looking = work.shelf.find().how
    ways = {"bm25": replace(looking, fusion="lexical")}
    if work.shelf.embedder is not None:
        ways |= {"vectors": replace(looking, fusion="dense"), "hybrid": looking}
    last = next(reversed(ways))
    finders = {name: work.plain.find(way) for name, way in ways.items()}
    finders |= {"again": work.shelf.find(looking)} if work.shelf.rate is not None else {}
    orders = {}
    for name, finder in finders.items():
        found = find_all(work.questions, finder, DEPTH, work.access)
        orders[name] = rank(found, work.how.k)
    comparisons = []
    for one, other in (("bm25", "hybrid"), (last, "again")):
        for figure in ("ndcg@10", f"recall@{work.how.k}") if other in orders else ():
            gap = compare_rankings(orders[one], orders[other], figure)
            told = {"difference": asdict(gap.difference), "p": gap.p, "test": gap.test, "sentence": gap.sentence}
            comparisons.append({"metric": figure, "a": one, "b": other, **told})
    return {way: one.estimates() for way, one in orders.items()}, comparisons


def _sureties(work: _Work) -> dict[str, list[float]]:
    """How sure the search is of questions of each kind; of near misses their own sources are kept out of it."""
    held = work.shelf.store.sources().keys()
    found: dict[str, list[float]] = {ANSWERABLE: [], UNANSWERED: []}
    near = []
    for one in work.questions:
        found[ANSWERABLE if one.answerable else UNANSWERED].append(surety(numbered(work.search(one.text))))
        if one.relevant:
            near += [surety(numbered(hits)) for hits in _without(work, one, held) if hits]
    off = []
    for question in OFF_TOPIC:
        hits = work.search(question)
        if not any(speaks_of(hit.chunk.embedded, question) for hit in hits):
            off.append(surety(numbered(hits)))
    return {**found, NEAR_MISS: near, ELSEWHERE: off}


def _without(work: _Work, question: Question, held: Any) -> Iterator[list[Hit]]:
    """What is found when the sources of the answer are not there; where there is no other source, its pieces."""
    sources = {place.source for place in question.relevant}
    if held - sources:
        looking = replace(work.shelf.find().how, filter=Not(OneOf("source", tuple(sorted(sources)))))
        yield work.shelf.find(looking)(question.text, work.how.k, work.access)
    elif all(place.end for place in question.relevant):
        hits = work.search(question.text, DEPTH)
        left = [hit for hit in hits if not any(place.holds(hit.chunk) for place in question.relevant)]
        yield left[: work.how.k]


def _calibrated(work: _Work, sureties: Mapping[str, Sequence[float]], most: float) -> dict[str, Any]:
    """The threshold as it is noted in the index, with its errors on questions it was not chosen on."""
    others = {kind: found for kind, found in sureties.items() if kind != ANSWERABLE}
    chosen = choose(sureties[ANSWERABLE], others, most)
    return {
        **asdict(chosen),
        "space": work.shelf.store.space(),
        "rerank": work.how.rerank,
        "questions": sum(len(found) for found in sureties.values()),
        "generated": sum(bool(one.by) for one in work.questions),
    }


def _row(question: Question, turn: Turn) -> dict[str, Any]:
    found = [{"number": one.number, "where": named(one.chunk), "score": one.score} for one in turn.passages]
    told = {"answer": turn.answer.text, "refused": turn.refused, "surety": surety(turn.passages) if found else None}
    return {**row_of(question), "given": told, "passages": found, "trace": list(turn.trace)}


def _settings(settings: "Settings", shelf: Shelf) -> dict[str, Any]:
    """What the figures depend on besides the index, the questions and the model."""
    own = {**asdict(settings.how), "access": sorted(settings.access), "depth": DEPTH}
    own |= {"guards": dump(guards_of(shelf, Guards()))}
    if settings.calibrate:
        return {**own, "calibrate": True, "most_false_refusals": settings.most_false_refusals}
    return {**own, "threshold": threshold_of(shelf, settings.how).value}


def _inputs(shelf: Shelf, file: Path, settings: "Settings") -> dict[str, Run | Path | str]:
    model, rerank = settings.model, settings.how.rerank
    held = (sorted(shelf.store.sources().items()), shelf.store.space(), asdict(shelf.facts))
    inputs: dict[str, Run | Path | str] = {"index": hashlib.sha256(repr(held).encode()).hexdigest(), "questions": file}
    inputs |= {"rerank": ranker_of(rerank)[1]} if rerank else {}
    if model and not model.startswith(AWAY):
        from dragoman.models.source import fingerprint, resolve

        return {**inputs, "model": fingerprint(resolve(model))}
    return {**inputs, "model": model} if model else inputs


def _root(settings: "Settings") -> Path:
    """The folder of the runs: the one given, the project's, or `runs` where there is no project."""
    if settings.runs:
        return Path(settings.runs)
    try:
        file = locate(settings.project)
    except UserError:
        if settings.project:
            raise
        return Path("runs")
    return load(file).runs_folder


def _opened(model: str) -> LM | None:
    if not model:
        return None
    from dragoman.models.open import open_lm

    lm: LM = open_lm(model)
    return lm
