"""Opens models that write: from a run's folder, or their base with a prompt or with what was learnt beside it."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dragoman.app.ngrams import Ngrams
from dragoman.app.steps.chain_of_thought import ChainOfThought
from dragoman.app.steps.demonstrate import Demonstrate
from dragoman.app.steps.instruct import Instruct
from dragoman.app.steps.tidy import Tidy
from dragoman.app.steps.write import Write
from dragoman.app.turn import Step
from dragoman.core import durable
from dragoman.core.doors import LM, Embedder
from dragoman.core.errors import UserError
from dragoman.core.project import Project
from dragoman.core.runs import Run
from dragoman.core.show import Tick, silent
from dragoman.core.types import Example
from dragoman.stages.writing import known, open_tokenizer, taught, texts_beside, told_of

__all__ = ["open_writer", "prompted", "steps_of"]

MODEL = "model"
SHOTS = 4
SHOWN = 1000  # examples that the few-shot rung chooses among: more are dear to search and to keep
AGAIN = "make the run again with: dragoman run"


def open_writer(folder: Path, card: Mapping[str, Any]) -> LM:
    """The model of a card: its own weights, or its base's, with an adapter where it has one.

    The tokenizer is the run's own: it holds the chat template that was trained with. Raises UserError where the base is
    not the one that the run was made with.
    """
    from dragoman.models.open import open_lm

    if not card.get("base_needed") and not card.get("adapter"):
        opened: LM = open_lm(folder)
        return opened
    from dragoman.models.device import choose_device
    from dragoman.models.local import LocalLM
    from dragoman.models.source import fingerprint, resolve
    from dragoman.nn.masked import MaskedLM
    from dragoman.nn.store import load_lm
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.adapter import read_adapter

    base = resolve(card["base"])
    if fingerprint(base) != card["fingerprint"]:
        raise UserError(f"{card['base']} is not the model this run was made with", AGAIN)
    net = load_lm(base)
    assert not isinstance(net, MaskedLM)
    if card.get("adapter"):
        read_adapter(net, folder)
    return LocalLM(net, Tokenizer(folder), device=choose_device("auto"))


def steps_of(folder: Path, card: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps around the model of a card, the same when it is measured and when it serves."""
    from dragoman.stages.guarded import open_around

    around = open_around(card.get("around", {}))
    steps: list[Step] = [Instruct(str(card.get("instruction", "")))]
    if card.get("shots"):
        shown = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
        questions, answers = tuple(one[0] for one in shown), tuple(one[1] for one in shown)
        steps.append(Demonstrate(_embedder(), questions, answers, shots=int(card["shots"]), most=int(card["most"])))
    writes: Step = Write(max_tokens=int(card["max_tokens"]))
    if card.get("thinks"):
        writes = ChainOfThought(max_tokens=2 * int(card["max_tokens"]))
    return (Tidy(), *around.told, *around.written((*steps, writes)))


def _embedder() -> Embedder:
    """What finds the nearest examples: letters in a row, which need no model and are the same on every machine."""
    return Ngrams()


def prompted(
    project: Project,
    prepared: Run,
    rung: str,
    base: tuple[str, Path, str],
    rows: Sequence[Example],
    tick: Tick = silent,
) -> Run:
    """The run of a rung that learns no weight: the untouched model with an instruction, examples, or room to think.

    `base` is the model as it was named, its folder and its fingerprint.
    """
    from dragoman.nn.store import read_arch

    spec, folder, fingerprint = base
    settings = {"rung": rung, **known(project), "seed": project.data.seed}
    run = Run.begin(
        project.runs_folder, rung, settings, {"parts": prepared, spec: fingerprint, **texts_beside(project)}
    )
    if run.finished:
        tick(1.0, "found again")
        return run
    begun = time.monotonic()
    said: list[str] = []
    shown = taught(rows[:SHOWN], *told_of(project))
    tokenizer = open_tokenizer(folder, read_arch(folder), project, shown, said.append)
    place = spec if spec.startswith(("builtin:", "hf:")) else str(folder.absolute())
    card: dict[str, Any] = {"kind": "writer", "labels": [], "multi_label": False, "base": place, **known(project)}
    card |= {"base_needed": True, "fingerprint": fingerprint, "thinks": rung == "chain_of_thought"}
    card |= {"base_bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())}
    from dragoman.stages.guarded import kept

    card["around"] = kept(project, rows)
    if rung == "few_shot":
        # About four characters a token: half of what is read may be examples.
        card |= {"shots": SHOTS, "most": 2 * project.models.max_length}

    def fill(stage: Path) -> None:
        from dragoman.stages.assistants import write_card

        tokenizer.save(stage)
        write_card(stage, card)
        if rung == "few_shot":
            alone = [one for one in shown if one.answers and _single(one)]
            pairs = [(one.prompt[-1].content, one.answers[0]) for one in alone]
            (stage / "examples.json").write_text(json.dumps(pairs, ensure_ascii=False), encoding="utf-8")

    durable.publish(run.folder / MODEL, fill)
    from dragoman.core.config import dump

    facts = {"seconds": time.monotonic() - begun, "memory": 0, "project": dump(project), "base": spec}
    return run.finish(facts, (MODEL,))


def _single(example: Example) -> bool:
    """Whether an example is one question: a part of a dialogue would be shown without what was said before."""
    return bool(example.prompt) and all(one.role in ("system", "developer") for one in example.prompt[:-1])
