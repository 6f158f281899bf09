"""What a training of `dragoman train` leaves behind, in the form that the report draws, read from its run alone."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dragoman.core.config import dump
from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.core.show import many
from dragoman.core.sizing import show_bytes, show_seconds
from dragoman.stages.plugs import said
from dragoman.stages.record import data_card, lineage
from dragoman.train.doors import OBJECTIVES, TUNINGS, How

__all__ = ["cautions", "is_training", "record_of", "told_learning"]

TOKENS = ("sft", "seq2seq", "multitask", "distill_text")
UNITS = dict.fromkeys(TOKENS, "nats a token") | {"classify": "nats a row", "reward": "nats a pair"}
"what the loss of an objective is counted in; the losses of others are sums of unlike things"
MOST_TILES = 4  # figures of validation at the head of the page, where four others stand too


def is_training(run: Run) -> bool:
    """Whether a run is one training, finished, by the loop of `dragoman train`."""
    return run.finished and {"learnt", "losses", "history", "tuning"} <= run.results.keys()


def record_of(run: Run) -> dict[str, Any]:
    """The record of a finished training; what it learnt from is told where the run of the data is still there."""
    facts = run.results
    objective = str(run.settings["objective"]["name"])
    own = run.settings["objective"]
    unit = "nats a pair" if own.get("kind") == "dpo" and not own.get("sft") else UNITS.get(objective)
    prepared = _prepared(run)
    return {
        "name": run.id,
        "kind": "train",
        "created": str(run.record["started"])[:16].replace("T", " ") + " UTC",
        "dragoman": run.record["version"],
        "headline": _headline(facts),
        "tiles": _tiles(facts),
        "losses": {"stretch": facts["stretch"], "points": facts["losses"], "unit": unit or ""},
        "figures": _figures(facts),
        "history": _history(facts),
        **{name: facts[name] for name in ("alignment", "scorer", "parity", "forgetting") if facts.get(name)},
        "data": {} if prepared is None else data_card(prepared),
        "model": {
            "base": facts["base"],
            "parameters": facts["weights"],
            "bytes": facts.get("bytes"),
            "what learns": told_learning(facts.get("learning", ())),
        },
        "warnings": cautions(facts, int(run.settings["train"]["max_length"])) + _ends(facts),
        "settings": run.settings,
        "environment": run.record["environment"],
        "lineage": lineage([run] if prepared is None else [prepared, run]),
        "commands": [_command(run), f"dragoman evaluate {run.id} data=PATH", f"dragoman report {run.id}"],
    }


def told_learning(learning: Sequence[Sequence[Any]], most: int = 6) -> str:
    """In one line which weights learnt: the first names, and how many lines there are beside them."""
    told = ", ".join(str(name) for name, _ in learning[:most])
    return told if len(learning) <= most else f"{told} and {len(learning) - most} more"


def cautions(facts: Mapping[str, Any], longest: int) -> list[str]:
    """What a reader must know of what a training learnt from and of what it kept; `longest` is its max_length."""
    told = []
    if facts.get("rounding"):
        told.append(
            "In four bits it learnt beside rounded weights; what is kept is merged with the unrounded ones, whose "
            f"logits differ from those it learnt with by {facts['rounding']:.2g} of the largest."
        )
    if facts.get("cut"):
        told.append(f"{facts['cut']:,} training examples were longer than {longest} tokens.")
    if facts.get("dropped"):
        told.append(
            f"{facts['dropped']:,} training examples were left out: their answers are blank, or they do not fit "
            f"{longest} tokens."
        )
    return told


def _ends(facts: Mapping[str, Any]) -> list[str]:
    """How the training itself went: steps that taught nothing, and a last state that is not the one kept."""
    told = []
    if facts["skipped"]:
        told.append(f"{many(facts['skipped'], 'step')} held something that is not finite and taught nothing.")
    if facts["steps"] < facts["planned"]:
        told.append(f"It ended after {facts['steps']:,} of {facts['planned']:,} planned steps.")
    if facts["best_step"] < facts["steps"]:
        told.append(f"Kept is step {facts['best_step']:,} of {facts['steps']:,}: the best of all measurements.")
    return told


def _headline(facts: Mapping[str, Any]) -> str:
    """What came out, in one sentence."""
    if aligned := facts.get("alignment"):
        gain, before, after = aligned["gain"], aligned["before"]["reward"], aligned["after"]["reward"]
        if not aligned["kept_step"]:
            return f"Nothing was better than the model as it was: a reward of {before:.3f} on {gain['n']} prompts."
        proof = "proven" if gain["low"] > 0 else "not proven"
        return f"A reward of {before:.3f} before and {after:.3f} after on the same {gain['n']} prompts, {proof} better."
    if scorer := facts.get("scorer"):
        simple = max(scorer["baselines"].values(), key=lambda one: float(one["accuracy"]["value"]))
        right, rule = (one["accuracy"]["value"] for one in (scorer, simple))
        pairs = many(scorer["pairs"], "pair")
        return f"Right in {right:.1%} of {pairs} it never learnt from; the best simple rule is in {rule:.1%}."
    told = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in _best(facts)[:2])
    where = f"step {facts['best_step']:,} of {facts['steps']:,}"
    return f"Kept is {where}, with {told} on rows it never learnt from." if told else f"Kept is {where}."


def _best(facts: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The figures of the state that is kept, without those that are lists of rows."""
    return [(name, value) for name, value in facts["best"].items() if not isinstance(value, list)]


def _tiles(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The figures at the top."""
    if aligned := facts.get("alignment"):
        gain = aligned["gain"]
        found = {"reward before": aligned["before"]["reward"], "reward after": aligned["after"]["reward"]}
        found |= {"gain": gain, "KL, nats": aligned["after"]["kl"]}
    elif scorer := facts.get("scorer"):
        found = {"accuracy": scorer["accuracy"], "nats a pair": scorer["nll"]}
        if 0 < scorer["accuracy"]["value"] < 1:  # where every margin has one sign there is no best slope
            found["slope"] = scorer["slope"]
    else:
        found = {name.replace("_", " "): value for name, value in _best(facts)[:MOST_TILES]}
    learnt = f"{facts['learnt']:,}"
    return found | {
        "weights learnt": learnt,
        "steps": facts["steps"],
        "time": show_seconds(facts["seconds"]),
        "memory": show_bytes(facts["memory"]),
    }


def _history(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The measurements; a loss on validation stands in the place of that of the training, and is named for what it
    is."""
    held = "loss" in facts["best"]
    points = []
    for point in facts["history"]:
        plain = {name: value for name, value in point.items() if not isinstance(value, list)}
        points.append({("validation" if held and name == "loss" else name): value for name, value in plain.items()})
    return points


def _figures(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the objective told of its own steps; not what is drawn of a policy on prompts that taught it nothing."""
    drawn = {name for point in facts["history"] for name in point} if facts.get("alignment") else set()
    told = {name: points for name, points in facts.get("figures", {}).items() if name not in drawn}
    return {"stretch": facts["stretch"], "points": told} if told else {}


def _prepared(run: Run) -> Run | None:
    """The run of the data beside this one; None where it was taken away."""
    try:
        found = Run.open(run.folder.parent / str(run.record["inputs"]["parts"]["path"]))
    except (KeyError, UserError):
        return None
    return found if found.finished and "findings" in found.results else None


def _command(run: Run) -> str:
    """The words that do the same again in the folder of the project, as a shell reads them."""
    told = ["dragoman", "train", f"model={run.results['base']}"]
    for noun, door in (("objective", OBJECTIVES), ("tuning", TUNINGS)):
        given = dict(run.settings[noun])
        name = str(given.pop("name"))
        plain = dump(door.make(name, {}, noun))
        told += said(noun, name) + said(noun, {key: one for key, one in given.items() if one != plain.get(key)})
    usual, given = dump(How()), run.results["project"].get("train", {})
    how = {**given, **{key: one for key, one in run.settings["train"].items() if one != usual[key]}}
    return shlex.join(told + said("train", how))
