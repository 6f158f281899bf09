"""Try many settings of a training: unpromising trials are stopped early, the winner is proven on fresh seeds.

over.NAME says what to try, a range or a list: over.train.rate="1e-4..1e-1 log" over.train.batch=8,16,32. Trials are
compared on validation, never on the test part. It can be killed at any instant; the same command goes on, and several
processes that are given the same storage share the trials.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.config import dump, merge, parse_word
from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.project import load, locate
from dragoman.core.runs import Run
from dragoman.core.shards import open_corpus
from dragoman.core.show import Board, Show, Tick, many
from dragoman.stages.asha import units_of
from dragoman.stages.language import KINDS
from dragoman.stages.plugs import plug
from dragoman.stages.sweep_record import card_of, record_of, table_of
from dragoman.stages.sweep_space import Dimension, read_space
from dragoman.stages.sweep_study import Book, Method, Rules, open_book
from dragoman.stages.sweep_trials import Ground, again, find_range, try_one

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("project",)
SECTIONS = True


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman sweep`."""

    project: str = ""
    "The project file or its folder; empty is the folder you stand in. With corpus=FOLDER no project is needed."
    over: Mapping[str, Any] = field(default_factory=dict)
    """What to try: over.train.rate="1e-4..1e-1 log", over.tuning.rank="4..64 int", over.train.batch=8,16,32."""
    rank: str = ""
    "Short for over.tuning.rank: rank=2,4,8,16,32 draws quality against rank."
    method: Method = "asha"
    """How to choose: asha (TPE suggests, and whoever is behind at a rung is stopped), tpe (nobody is stopped), random,
    or grid."""
    trials: int = 16
    "How many settings are tried; grid tries all there are."
    eta: int = 3
    "At each rung the best one of so many trials goes on; rungs lie that factor apart."
    least: float = 0.1
    "The share of a whole training that every trial gets at the least: too little stops those that begin slowly."
    points: int = 4
    "How many values grid takes of a range."
    seeds: int = 3
    "On how many fresh seeds the winner is trained again: their mean is what to expect, not the best trial's figure."
    seed: int = 0
    "The seed of every trial, and of what is tried."
    range_test: bool = False
    "Also let the learning rate rise from step to step and see where the loss falls; without over.* do nothing else."
    range: str = "1e-6..1 log"
    "From which to which rate the range test goes."
    range_steps: int = 200
    "How many steps the range test has."
    storage: str = ""
    "Where the trials are kept, as Optuna takes it, such as postgresql://host/name; empty is a file in the run."
    objective: str | Mapping[str, Any] = "classify"
    "What is learnt, as for `dragoman train`; with corpus=FOLDER it is clm where nothing is said."
    tuning: str | Mapping[str, Any] = "lora"
    "Which weights learn, as for `dragoman train`."
    model: str = ""
    "The model to adapt; empty takes the first of models.candidates, or for a corpus one that has learnt nothing."
    corpus: str = ""
    "For clm, mlm and span: the folder that `dragoman corpus` wrote."
    size: str = ""
    "For clm, mlm and span: how large a model is that has learnt nothing, such as 1M or gpt2/small."
    family: str = ""
    "For clm, mlm and span: its architecture; empty takes qwen3, bert or t5."

    def __post_init__(self) -> None:
        for name, least in (("trials", 1), ("points", 2), ("seeds", 2), ("range_steps", 20)):
            if getattr(self, name) < least:
                raise UserError(
                    f"{name} cannot be {getattr(self, name)}", f"it must be {least} or more: {name}={least}"
                )


@dataclass(frozen=True)
class _Site:
    """Where a sweep takes place: on which ground, in which folder of runs, and what else its figures depend on."""

    ground: Ground
    root: Path
    inputs: Mapping[str, Run | str]
    settled: Mapping[str, Any] = field(default_factory=dict)
    "settings that the words do not show, such as those of the project file"


@dataclass(frozen=True)
class _Work:
    """What is to be swept: on which ground, in which run."""

    ground: Ground
    run: Run
    space: tuple[Dimension, ...]
    rules: Rules


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Try the settings, prove the best ones, say which command trains with them."""
    ranks = {"tuning": {"rank": settings.rank}} if settings.rank else {}
    settings = replace(settings, over={**ranks, **settings.over}, rank="")
    space = read_space(settings.over)
    if not space and not settings.range_test:
        raise UserError("nothing is said to try", 'say what: over.train.rate="1e-4..1e-1 log", or range_test=true')
    _ends(settings)
    units = 1 if settings.method == "grid" or not space else units_of(settings.eta, settings.least)
    with show.board("sweep") as board:
        work = _prepared(settings, words, space, units, board)
        done = work.run if work.run.finished else _swept(settings, work, show, board)
    if done is None:
        return 0
    facts = done.results
    if facts["record"].get("trials"):
        show.table(*table_of(facts["record"]))
    show.card(done.id, card_of(facts["record"], str(done.folder / "report.html")), mark="good")
    show.result({"run": done.id, **{name: facts["record"].get(name) for name in ("best", "range_test", "commands")}})
    return 0


def _prepared(
    settings: Settings, words: tuple[str, ...], space: tuple[Dimension, ...], units: int, board: Board
) -> _Work:
    """Everything checked before anything is trained: the ground, the run, and that every dimension can be swept."""
    texts = bool(settings.corpus or plug(settings.objective, "objective")[0] in KINDS)
    site = (_texts if texts else _project)(settings, words, space, board)
    ground = site.ground
    _check(ground, space, units)
    rules = Rules(settings.method, settings.trials, settings.seed, settings.eta, units, ground.higher, settings.points)
    given = {
        **dump(settings),
        "over": [dump(one) for one in space],
        "words": sorted(word for word in words if not word.startswith("runs=")),
    }
    given = {name: value for name, value in given.items() if name not in ("storage", "corpus", "project")}
    given |= {"metric": ground.metric, "higher": ground.higher, **site.settled}
    return _Work(ground, Run.begin(site.root, "sweep", given, site.inputs), space, rules)


def _texts(settings: Settings, words: tuple[str, ...], space: tuple[Dimension, ...], board: Board) -> _Site:
    """A corpus that was built."""
    from dragoman.stages.sweep_texts import OnTexts

    if not (typed(settings.corpus) / "corpus.json").is_file() or not settings.corpus:
        raise UserError(
            f"{settings.corpus or 'nothing'} is no corpus, which every trial reads",
            "build one: dragoman corpus SOURCE out=FOLDER; then say corpus=FOLDER",
        )
    table: dict[str, Any] = {"train": {}}
    for word in words:
        path, value = parse_word(word)
        if path[0] not in ("train", "runs"):
            raise UserError(
                f"there is no setting '{path[0]}' where language models are trained on texts",
                "its settings are over.*, train.*, objective.*, corpus, model, size and family",
            )
        table = merge(table, path, value)
    table |= {"objective": "clm" if settings.objective == "classify" else settings.objective}
    corpus = open_corpus(typed(settings.corpus))
    inputs: dict[str, Run | str] = {"data": corpus.digest}
    model = ""
    if settings.model:
        from dragoman.models.source import fingerprint, resolve

        folder = resolve(settings.model)
        model, inputs["model"] = str(folder), fingerprint(folder)
    table |= {"size": settings.size, "family": settings.family, "model": model}
    root = Path(str(table.pop("runs", "runs")))
    return _Site(OnTexts(corpus, table), root, inputs)


def _project(settings: Settings, words: tuple[str, ...], space: tuple[Dimension, ...], board: Board) -> _Site:
    """A project, its data prepared."""
    from dragoman.models.source import fingerprint, resolve
    from dragoman.stages.prepare import gather, prepare
    from dragoman.stages.sweep_project import OnProject
    from dragoman.stages.train import planned

    project = load(locate(settings.project), words)
    table = {"tuning": settings.tuning, "objective": settings.objective, "model": settings.model}
    ground = OnProject(project, table, (settings.project, *words) if settings.project else words)
    _check(ground, space, 1)  # before the data are read
    models = [settings.model or project.models.candidates[0]]
    models += [str(value) for one in space if one.name == "model" for value in one.ends]
    bases = {model: fingerprint(resolve(project.place(model))) for model in dict.fromkeys(models)}
    with board.step("prepare") as tick:
        prepared = prepare(project, gather(project, tick), tick)
    settled = {"train": dump(planned(project, {})), "multi_label": project.scope.multi_label}
    return _Site(replace(ground, prepared=prepared), project.runs_folder, {"data": prepared, **bases}, settled)


def _check(ground: Ground, space: tuple[Dimension, ...], units: int) -> None:
    """Every end of every dimension by itself; a choice of plug-in comes with the settings that only it has.

    What is chosen by name, such as objective and family, must go together whichever of each is drawn.
    """
    plugs = {one.name: one for one in space if "." not in one.name}
    for row in product(*(one.ends for one in plugs.values())) if len(plugs) > 1 else ():
        ground.check(dict(zip(plugs, row, strict=True)), units)
    for one in space:
        beside = plugs.get(one.name.partition(".")[0])
        for end in one.ends if beside in (None, one) else ():
            ground.check({one.name: end}, units)
    ground.check({}, units)


def _swept(settings: Settings, work: _Work, show: Show, board: Board) -> Run | None:
    """The finished run; None where other processes are still at work on the last trials."""
    facts: dict[str, Any] = {}
    if settings.range_test:
        low, high = _ends(settings)
        file = work.run.folder / "range_test.json"
        with board.step("range test") as tick:
            found = find_range(work.ground, settings.seed, low, high, settings.range_steps, file, tick)
            tick(1.0, f"rate {found.chosen:.2g}")
        facts["range_test"] = dump(found)
    book = None
    if work.space:
        book = open_book(work.run.id, settings.storage, work.space, work.rules, work.run.folder)
        _try_all(work.ground, book, board)
        if book.others:
            show.say(f"other processes are at work on {many(book.others, 'trial')}; the last of them ends the sweep")
            return None
        facts["again"] = _proven(settings, work, book, show, board)
    record = record_of(work.run, work.ground, book, facts)
    from dragoman.stages.report import write_report

    write_report(work.run, {"record": record})
    return work.run.finish({"record": record})


def _ends(settings: Settings) -> tuple[float, float]:
    """From which rate to which the test goes."""
    hint = 'two rates above 0, the lower one first: range="1e-6..1 log"'
    try:
        one = read_space({"range": settings.range})[0]
    except UserError:  # its words are those of over.range, which nobody wrote
        raise UserError(f"range cannot be '{settings.range}'", hint) from None
    if one.choices or one.low <= 0:
        raise UserError(f"range cannot be '{settings.range}'", hint)
    return one.low, one.high


def _try_all(ground: Ground, book: Book, board: Board) -> None:
    """Trials until there are none left to give out."""
    with board.step("trials") as tick:
        while True:
            with book.next() as asked:
                if asked is None:
                    break
                begun = [one.number for one in book.rows()]
                place = begun.index(asked.number) + 1
                try_one(ground, book, asked, _fixed(tick, (len(begun) - 1) / book.wanted, f"trial {place}"))
        rows = book.rows()
        stopped = sum(one.state == "pruned" for one in rows)
        tick(1.0, f"{len(rows)} tried, {stopped} of them stopped early")


def _fixed(tick: Tick, whole: float, words: str) -> Tick:
    """The progress of a trial, which may be one that goes on: as words behind that of the sweep."""

    def told(done: float, text: str = "") -> None:
        tick(whole, f"{words}, {text}")

    return told


def _proven(settings: Settings, work: _Work, book: Book, show: Show, board: Board) -> list[float]:
    """The winner's figure on each fresh seed."""
    best, folder = book.best(), work.run.folder / "winner"
    found = []
    with durable.lock(folder), board.step("winner") as tick:
        for number in range(settings.seeds):
            told = _part(tick, number, settings.seeds, "seed")
            found.append(again(work.ground, best.settings, settings.seed + 1 + number, folder, show.say, told))
        tick(1.0, f"mean {math.fsum(found) / len(found):.4f}")
    return found


def _part(tick: Tick, number: int, count: int, noun: str) -> Tick:
    """The progress of one of several, as progress of them all."""

    def told(done: float, text: str = "") -> None:
        tick((number + done) / count, f"{noun} {number + 1} of {count}, {text}")

    return told
