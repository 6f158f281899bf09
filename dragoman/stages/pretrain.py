"""Pretrain a language model from raw text: a tokenizer, a corpus, a size that fits the time, training, a report.

Give the texts and the time; everything else is chosen, said, and can be set. It can be killed at any instant: the same
command goes on. Started by torchrun, several processes train together.
"""

import contextlib
import io
import json
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.core import durable
from dragoman.core.config import build, dump
from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.core.shards import Corpus, open_corpus
from dragoman.core.show import Board, Show, Tick
from dragoman.core.sizing import parse_bytes, parse_seconds
from dragoman.stages.assistants import MODEL
from dragoman.stages.language import agree, kind_of, texts_of, train_language
from dragoman.stages.plugs import plug, said
from dragoman.train.doors import OBJECTIVES

if TYPE_CHECKING:
    from dragoman.stages.language import Task
    from dragoman.stages.pretrain_plan import Choice
    from dragoman.train.world import World

__all__ = ["PLACES", "SECTIONS", "Settings", "is_corpus", "pretrain", "run"]

PLACES = ("source",)
SECTIONS = False
KINDS = {"clm": "bpe", "mlm": "wordpiece", "span": "unigram"}
_ELSEWHERE = ("source", "corpus", "tokenizer", "vocabulary", "model", "runs", "tensorboard")
"settings that the inputs of a run say already, or that change nothing of what comes out"
WORDS = ((2_000_000, 1024), (20_000_000, 4096), (500_000_000, 8192))
"how many tokens a tokenizer has for a text of so many bytes; above, 32,768"


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman pretrain`."""

    source: str = ""
    "The texts, as `dragoman corpus` takes them, or a folder that it wrote."
    time: str = "20 min"
    "How long to train on this machine; the corpus and the tokenizer come on top."
    size: str = "auto"
    "How large the model is: auto chooses by the scaling law, 15M says, gpt2/small takes a published shape."
    objective: str | Mapping[str, Any] = "clm"
    "What is learnt: clm (the next token), mlm (words behind masks) or span (gaps); settings as objective.share=0.2."
    family: str = ""
    "The architecture; empty takes qwen3 for clm, bert for mlm and t5 for span."
    model: str = ""
    "A model folder to go on from; its tokenizer makes the corpus."
    tokenizer: str = ""
    "A folder with a tokenizer, or characters; empty trains one on the texts."
    vocabulary: int = 0
    "How many tokens the tokenizer has that is trained; 0 chooses by the size of the texts."
    tokens: str = ""
    "How many tokens to train on, such as 300M, whatever the time says."
    prompts: tuple[str, ...] = ()
    "Texts that a decoder goes on with at every measurement; empty takes the beginning of a held-out text."
    memory: str = ""
    "The memory there is, such as 8 GiB; empty is what is free."
    train: Mapping[str, Any] = field(default_factory=dict)
    "Settings of the loop, such as train.batch=32, train.max_length=512, train.optimizer=adamw, train.rate=1e-3."
    corpus: Mapping[str, Any] = field(default_factory=dict)
    "Settings of the corpus, as `dragoman corpus` has them, such as corpus.near=0.9."
    tensorboard: str = ""
    "A folder for TensorBoard; empty writes none."
    runs: str = "runs"
    "The folder of the runs."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Pretrain, write the report, show the card."""
    done = pretrain(settings, show)
    if done is None:
        return 0
    from dragoman.stages.pretrain_record import card_of

    facts = done.results
    show.card(done.id, card_of(done, facts, str(done.folder / "report.html")), mark="good")
    held = {name: value for name, value in facts["held_out"].items() if isinstance(value, dict)}
    show.result(
        {
            "run": done.id,
            "model": str(done.folder / MODEL),
            "report": str(done.folder / "report.html"),
            "held_out": held,
            "steps": facts["steps"],
            "parameters": facts["parameters"],
            "seconds": facts["seconds"],
        }
    )
    return 0


def pretrain(settings: Settings, show: Show, verb: str = "pretrain") -> Run | None:
    """The finished run: begun, gone on with, or found again; None in all processes but the first of several."""
    name, aimed = plug(settings.objective, "objective")
    _check(settings, name, aimed, verb)
    from dragoman.models.source import resolve
    from dragoman.train.distributed import join, leave

    if settings.model:
        settings = replace(settings, model=str(resolve(settings.model)))
    world = join(str(settings.train.get("device", "auto")))
    try:
        with _board(world, show, verb) as board:
            done = _pretrained(settings, name, aimed, world, board, show, verb)
    except BaseException:
        leave(failed=True)
        raise
    leave()
    return done


def _check(settings: Settings, name: str, aimed: Mapping[str, Any], verb: str) -> None:
    """Raise UserError for whatever can be known to be wrong before the texts are read, which may take hours."""
    kind = kind_of(name)
    OBJECTIVES.make(name, aimed, "objective")
    parse_seconds(settings.time, "time")
    if not settings.source:
        raise UserError("no text is named to learn from", f"name it: dragoman {verb} SOURCE")
    from dragoman.stages.plan_model import Setup, arch_of, read_count
    from dragoman.stages.pretrain_plan import FAMILIES, USUAL
    from dragoman.train.doors import How

    build(How, {"batch": 1, **USUAL, **settings.train}, "train")
    read_count(settings.tokens, "tokens")
    if settings.memory:
        parse_bytes(settings.memory, "memory")
    if not settings.model:
        sized = "1M" if settings.size in ("", "auto") else settings.size
        arch = arch_of(sized, Setup(family=settings.family or FAMILIES[name], vocabulary=64, length=64))
        if arch.kind != kind:
            raise UserError(
                f"{name} needs {'an' if kind[0] == 'e' else 'a'} {kind}, and {arch.family} is none",
                f"choose another architecture: family={FAMILIES[name]}",
            )
    if is_corpus(settings.source) and (settings.tokenizer or settings.vocabulary or settings.corpus):
        raise UserError(
            f"{settings.source} is a corpus: its tokenizer and its texts are settled",
            "leave tokenizer, vocabulary and corpus.* out, or build another: dragoman corpus SOURCE",
        )


def is_corpus(source: str) -> bool:
    """Whether a source is a folder that `dragoman corpus` wrote."""
    try:
        return (typed(source) / "corpus.json").is_file()
    except OSError:  # several sources in one word, longer than a path can be
        return False


@contextlib.contextmanager
def _board(world: "World", show: Show, title: str) -> Iterator[Board]:
    """The board of the first process; what the others have to say nobody hears."""
    if world.first:
        with show.board(title) as board:
            yield board
        return
    with contextlib.redirect_stderr(io.StringIO()):
        yield Board(title)


def _pretrained(
    settings: Settings, name: str, aimed: Mapping[str, Any], world: "World", board: Board, show: Show, verb: str
) -> Run | None:
    corpus, made = _corpus(settings, name, world, board)
    texts_of(corpus)
    given = {**dump(settings), "objective": {"name": name, **dump(aimed)}}
    given = {key: value for key, value in given.items() if key not in _ELSEWHERE}
    inputs: dict[str, Run | str | Path] = {"corpus": corpus.digest}
    if settings.model:
        from dragoman.models.source import fingerprint
        from dragoman.nn.tokenizer import Tokenizer

        agree(settings.model, Tokenizer(corpus.tokenizer))
        inputs["model"] = fingerprint(Path(settings.model))
    root = Path(settings.runs)
    world.once(lambda: Run.begin(root, verb, given, inputs).id)
    run = Run.begin(root, verb, given, inputs)  # on a disk of its own, another machine has a record of its own
    if world.told(run.finished):
        with board.step("train") as tick:
            tick(1.0, "found again")
        shutil.rmtree(run.folder / "training", ignore_errors=True)  # a kill after the last word left it
        return run if world.first else None
    task, choice = _decided(settings, name, aimed, corpus, run, world, board)
    from dragoman.train.session import Effort

    effort = Effort(choice["flops_per_token"], choice["peak"])
    with board.step("train") as tick:
        facts = train_language(run, task, corpus, show.say, tick, effort, settings.tensorboard, world)
    if facts is None:
        return None
    with board.step("report") as tick:
        return _reported(run, made, facts, choice, task, corpus, _command(settings, verb), tick)


def _corpus(settings: Settings, name: str, world: "World", board: Board) -> tuple[Corpus, Run | None]:
    """The corpus that is named, or one that is built of the texts beside the runs; its run, where it was built."""
    if is_corpus(settings.source):
        return open_corpus(typed(settings.source)), None
    from dragoman.stages.corpora import build as build_corpus
    from dragoman.stages.corpora import size_of
    from dragoman.stages.corpus_settings import Settings as Texts
    from dragoman.stages.corpus_settings import sources_of

    table = {**settings.corpus, "source": settings.source, "tokenizer": settings.tokenizer or settings.model}
    size = sum(size_of(source) for source in sources_of(build(Texts, table, "corpus")))
    how = {"kind": KINDS[name], "size": settings.vocabulary or _words(size)}
    how |= {"sentinels": 100} if name == "span" else {}
    asked = build(Texts, {"how": how, **table}, "corpus")

    def made() -> str:
        made = Run.begin(Path(settings.runs), "corpus", asked, {"source": settings.source})
        corpus = build_corpus(build(Texts, {**dump(asked), "out": str(made.folder / "corpus")}, "corpus"), board)
        made.finish({"made": corpus.facts["made"], "folder": str(corpus.folder)})
        return str(made.folder)

    run = Run.open(Path(world.once(made)))
    return open_corpus(run.folder / "corpus"), run


def _words(size: int) -> int:
    """How many tokens a tokenizer of so many bytes of text has: a small text cannot teach many; 0 is not known."""
    return next((words for most, words in WORDS if 0 < size <= most), 32_768 if size else 4096)


def _decided(
    settings: Settings,
    name: str,
    aimed: Mapping[str, Any],
    corpus: Corpus,
    run: Run,
    world: "World",
    board: Board,
) -> tuple["Task", dict[str, Any]]:
    """What is trained: decided once by the first process, and read again by everybody and after a kill."""
    from dragoman.nn.arch import Arch
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.stages.language import Task
    from dragoman.stages.pretrain_plan import Wanted, choose
    from dragoman.train.doors import How

    wanted = Wanted(
        objective=name,
        objective_settings=aimed,
        family=settings.family,
        size=settings.size,
        model=settings.model,
        seconds=parse_seconds(settings.time, "time"),
        tokens=settings.tokens,
        memory=settings.memory,
        train=settings.train,
    )
    file = run.folder / "plan.json"
    tokenizer = Tokenizer(corpus.tokenizer)

    def decide() -> dict[str, Any]:
        if not file.exists():
            with board.step("plan") as tick:
                durable.write_json(file, _table(choose(wanted, corpus, tokenizer, tick, world.size)))
        table: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return table

    table = world.once(decide)
    prompts = settings.prompts or _beginnings(corpus, tokenizer)
    task = Task(
        objective=name,
        how=build(How, table["how"], "train"),
        arch=build(Arch, table["arch"], "arch"),
        base=settings.model,
        objective_settings=aimed,
        prompts=tuple(prompts),
        measured_tokens=table["measured_tokens"],
    )
    return task, table


def _table(choice: "Choice") -> dict[str, Any]:
    """A choice as plan.json keeps it."""
    from dragoman.train.precision import choose_precision

    facts, how = choice.facts, choice.how
    prediction = facts["prediction"]
    return {
        **facts,
        "how": dump(how),
        "arch": dump(choice.arch),
        "precision": choose_precision(how.precision, choice.machine.device),
        "flops_per_token": prediction["flops_per_token"],
        "peak": choice.peak,
        "parts": {part: size for part, size in prediction["memory"].items() if part != "total"},
    }


def _beginnings(corpus: Corpus, tokenizer: Any) -> list[str]:
    """The first words of a held-out document, to be gone on with."""
    documents = next(part for part in corpus.part("validation") if part.tokens)
    text = tokenizer.decode(documents.read(0, min(12, int(documents.ends[0]))).tolist())
    return [text] if text.strip() else []


def _reported(
    run: Run,
    made: Run | None,
    facts: dict[str, Any],
    choice: Mapping[str, Any],
    task: "Task",
    corpus: Corpus,
    words: str,
    tick: Tick,
) -> Run:
    """Write the record and the page, and end the run."""
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.report.training import render_training
    from dragoman.stages.pretrain_record import compressed, record_of

    if task.arch.kind == "decoder":
        facts["compressed"] = compressed(corpus, Tokenizer(corpus.tokenizer))
    runs = [one for one in (made, run) if one is not None]
    facts["record"] = record_of(run, runs, facts, choice, task.arch, corpus, words)
    durable.write(run.folder / "report.html", render_training(facts["record"]).encode("utf-8"))
    tick(1.0, str(run.folder / "report.html"))
    done = run.finish(facts, published=(MODEL,))
    shutil.rmtree(run.folder / "training", ignore_errors=True)
    return done


def _command(settings: Settings, verb: str) -> str:
    """The words that make the same again, as a shell reads them."""
    told = ["dragoman", verb, settings.source]
    plain = dump(Settings())
    told += [word for name, value in dump(settings).items() if name != "source" and value != plain[name]
             for word in said(name, value)]  # fmt: skip
    return shlex.join(told)
