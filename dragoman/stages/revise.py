"""Rewrite a model's answers by a constitution, into rows to learn from; or let a critic prefer between answers.

Each prompt is answered, criticised by a principle drawn for its row and round, and rewritten, four times; the last
revision is written down, never a critique. --prefer writes pairs instead: a principle is asked of two answers in both
orders (those of the row, or two that the model draws). Every answer is on the disk before the next is asked; the same
command goes on.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dragoman.app.constitution import Constitution, default_constitution, read_constitution
from dragoman.core import durable
from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.show import Show, figure, many
from dragoman.core.types import Estimate
from dragoman.data.asked_rows import Asked, read_asked
from dragoman.evals.referee import same_family
from dragoman.stages.generate import no_model
from dragoman.stages.remembered import RememberedLM
from dragoman.stages.revise_answers import Revisions, revise_answers, share
from dragoman.stages.revise_pairs import Pairs, answered, prefer

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("prompts",)
SECTIONS = False
SURE = 0.9  # the share of pairs ruled alike in both orders below which a person is told
Weights = Literal["auto", "fp32", "bf16", "int8", "int8_dynamic"]


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman revise`."""

    prompts: str = ""
    'Rows of {"prompt": TEXT or messages}; besides, if known: completions (or chosen and rejected), id, benign: true.'
    model: str = ""
    "Who answers and rewrites: a folder, hf:owner/name, or openai:http://host:port/v1#model. The policy to be trained."
    critic: str = ""
    "Who criticises and prefers, named as the model is; empty is the model itself."
    constitution: str = ""
    "The file of principles; empty takes the eight that come along (helpful, honest, harmless, not evasive)."
    rounds: int = 4
    "How often an answer is criticised and rewritten."
    prefer: bool = False
    "Write pairs of answers, of which the critic prefers one, instead of revisions."
    labels: Literal["odds", "think", "verdict"] = "odds"
    "How it prefers: log-odds of two options; think aloud before them, clamped to 40-60 %; or a verdict in words."
    rule: str = ""
    "A regular expression of what no answer should hold: how often one does is told round by round."
    refusals: bool = False
    "Keep revisions that open with a refusal."
    out: str = ""
    "Where the rows go; empty is NAME.revised.jsonl or NAME.preferred.jsonl beside the prompts."
    keep_going: bool = False
    "Leave out rows that cannot be read instead of refusing the file."
    device: str = "auto"
    "Where the models run: auto, cpu, cuda or mps."
    precision: Weights = "auto"
    "The numbers they run in; int8 stores the weights in a byte each, int8_dynamic multiplies in int8 too."
    how: Sampling = field(default_factory=Sampling)
    "How the next token is drawn; its seed draws the principles too."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Read the prompts, ask the models, write the rows and tell how it went."""
    if not settings.model and not settings.critic:
        raise no_model("revise")
    if not settings.prompts:
        raise UserError("no prompts are named", "name a file of them: dragoman revise prompts.jsonl model=FOLDER")
    _check(settings)
    rules = read_constitution(settings.constitution) if settings.constitution else default_constitution()
    if settings.prefer:  # what is missing in it is told before a model is opened
        rules.to_prefer(0, "")
    else:
        rules.to_revise(0, "", 0)
    rule = _pattern(settings.rule)
    asked, said = read_asked(settings.prompts, keep_going=settings.keep_going)
    for line in said:
        show.say(line)
    out, kept = _places(settings)
    models = _open(settings, kept, any(not one.answers for one in asked), show)
    told = (_prefer if settings.prefer else _revise)(settings, asked, rules, rule, out, models, show)
    fresh = sum({id(one): one.asked for one in models}.values())
    show.result({"file": str(out), "answers": str(kept), "asked": fresh, **told})
    return 0


def _check(settings: Settings) -> None:
    if settings.rounds < 1:
        raise UserError(f"rounds cannot be {settings.rounds}", "it is at least 1: say rounds=4")
    for name in ("n", "beams"):
        if getattr(settings.how, name) > 1:
            raise UserError(f"{name} cannot be {getattr(settings.how, name)} here", f"leave it out, or say {name}=1")


def _pattern(rule: str) -> re.Pattern[str] | None:
    try:
        return re.compile(rule) if rule else None
    except re.error as error:
        raise UserError(f"the rule is no regular expression: {error}", r"write it as rule=\bword\b") from None


def _places(settings: Settings) -> tuple[Path, Path]:
    """Where the rows and the answers go. Raises UserError where they would write over what was read."""
    source = typed(settings.prompts)
    if settings.out:
        out = typed(settings.out)
    elif source.is_file():
        word = "preferred" if settings.prefer else "revised"
        out = source.with_name(f"{Path(source.name.removesuffix('.gz')).stem}.{word}.jsonl")
    else:
        raise UserError(f"rows cannot lie beside {settings.prompts}", "name a file for them: out=revised.jsonl")
    kept = out.with_name(out.name.removesuffix(".jsonl") + ".answers.jsonl")
    read = [typed(name).resolve() for name in (settings.prompts, settings.constitution) if name]
    for path in (out, kept):
        if path.resolve() in read:
            raise UserError(f"{path} is read by this command", "name another file: out=revised.jsonl")
    return out, kept


def _open(settings: Settings, kept: Path, bare: bool, show: Show) -> tuple[RememberedLM, RememberedLM]:
    """The model and the critic, which may be one; where nothing is to be answered the model is not opened."""
    from dragoman.models.open import open_lm
    from dragoman.models.source import fingerprint, resolve

    def opened(spec: str) -> RememberedLM:
        remote = spec.partition(":")[0] in ("openai", "fake")
        lm = open_lm(spec, device=settings.device, precision=settings.precision)
        if lm.note:
            show.say(lm.note)
        return RememberedLM(lm, spec if remote else fingerprint(resolve(spec)), kept)

    name = settings.critic or settings.model
    if settings.prefer and settings.model:
        family = "" if name == settings.model else same_family(name, settings.model)
        if name == settings.model:
            show.say("the critic is the policy itself, and a model favours its own answers: name another by critic=...")
        elif family:
            show.say(family.replace("judge and candidate", "critic and policy").replace("judge", "critic"))
    if not settings.model and (bare or not settings.prefer):
        raise UserError("no model is named that answers the prompts", "name it: model=FOLDER")
    critic = opened(name)
    wanted = settings.model and settings.model != name and (bare or not settings.prefer)
    return (opened(settings.model) if wanted else critic), critic


def _revise(
    settings: Settings,
    asked: Sequence[Asked],
    rules: Constitution,
    rule: re.Pattern[str] | None,
    out: Path,
    models: tuple[RememberedLM, RememberedLM],
    show: Show,
) -> dict[str, Any]:
    """Write the revisions."""
    with show.board("revise") as board, board.step("revise") as tick:
        made = revise_answers(
            asked,
            *models,
            rules,
            tick,
            rounds=settings.rounds,
            seed=settings.how.seed,
            how=settings.how,
            rule=rule,
            keep_refusals=settings.refusals,
        )
        tick(1.0, f"{many(len(made.rows), 'row')} of {many(len(asked), 'prompt')}")
    _write(out, made.rows, "no revision can be learnt", made.left_out)
    breaks, refused = [share(seen) for seen in made.violations], [share(seen) for seen in made.refusals]
    _tell_rounds(settings.rounds, breaks, refused, show)
    rows = [("left out", _counts(made.left_out)), ("revisions not taken", _counts(made.dropped))]
    rows = [row for row in rows if row[1]] + [("next", f"dragoman tune MODEL {out}")]
    show.card(f"{many(len(made.rows), 'revised answer')} in {out}", rows, "good")
    return {**_revisions(made), "violations": _facts(breaks), "benign_refusals": _facts(refused)}


def _revisions(made: Revisions) -> dict[str, Any]:
    drawn = Counter(name for row in made.rows for name in row["principles"])
    return {
        "rows": len(made.rows),
        "left_out": dict(made.left_out),
        "dropped": dict(made.dropped),
        "principles": dict(drawn.most_common()),
    }


def _tell_rounds(
    rounds: int, breaks: Sequence[Estimate | None], refused: Sequence[Estimate | None], show: Show
) -> None:
    columns = {"breaks the rule": breaks, "refuses a benign prompt": refused}
    seen = {name: found for name, found in columns.items() if found and found[0] is not None}
    if seen:
        lines = [
            [str(number) if number else "first answer", *(_shown(found[number]) for found in seen.values())]
            for number in range(rounds + 1)
        ]
        show.table("round by round", ("round", *seen), lines)


def _prefer(
    settings: Settings,
    asked: Sequence[Asked],
    rules: Constitution,
    rule: re.Pattern[str] | None,
    out: Path,
    models: tuple[RememberedLM, RememberedLM],
    show: Show,
) -> dict[str, Any]:
    """Write the pairs."""
    how = settings.how
    with show.board("prefer") as board:
        with board.step("answer") as tick:
            several, left = answered(asked, models[0], how, tick)
            tick(1.0, f"{many(len(several), 'prompt')} with two answers or more")
        with board.step("prefer") as tick:
            made = prefer(several, models[1], rules, tick, labels=settings.labels, seed=how.seed, think=how)
            tick(1.0, many(len(made.rows), "pair"))
    made.left_out.update(left)
    _write(out, made.rows, "no pair was decided", made.left_out)
    breaks = {} if rule is None else {side: share([_holds(rule, row, side) for row in made.rows]) for side in SIDES}
    refused = {side: share(seen) for side, seen in made.refusals.items()}
    assert made.tally is not None  # there are rows
    if made.tally.consistency.value < SURE and made.tally.first_place.low <= 0.5 <= made.tally.first_place.high:
        show.say(f"only {made.tally.consistency.value:.0%} of the pairs were ruled alike in both orders")
    for note in made.tally.notes:
        show.say(note.replace("the judge", "the critic"))
    show.card(f"{many(len(made.rows), 'preference')} in {out}", _pair_card(made, breaks, refused, out), "good")
    return {**_pairs(made), "violations": _named(breaks), "benign_refusals": _named(refused)}


SIDES = ("chosen", "rejected")


def _holds(rule: re.Pattern[str], row: Mapping[str, Any], side: str) -> bool:
    return rule.search(row[side][0]["content"]) is not None


def _pair_card(
    made: Pairs, breaks: Mapping[str, Estimate | None], refused: Mapping[str, Estimate | None], out: Path
) -> list[tuple[str, str]]:
    assert made.tally is not None
    rows = [
        ("alike in both orders", figure(made.tally.consistency)),
        ("for the first place", figure(made.tally.first_place)),
    ]
    if made.people is not None:
        rows.append(("agrees with people", f"{figure(made.people.share)}, kappa {figure(made.people.kappa)}"))
    for name, found in (("break the rule", breaks), ("refuse a benign prompt", refused)):
        rows += [(f"{side} that {name}", _shown(one)) for side, one in found.items() if one is not None]
    rows += [("left out", _counts(made.left_out))] if made.left_out else []
    return [*rows, ("next", f"in a project: dragoman train objective=dpo data={out}")]


def _pairs(made: Pairs) -> dict[str, Any]:
    assert made.tally is not None
    people = made.people and {"share": _fact(made.people.share), "kappa": _fact(made.people.kappa)}
    return {
        "rows": len(made.rows),
        "left_out": dict(made.left_out),
        "consistency": _fact(made.tally.consistency),
        "first_place": _fact(made.tally.first_place),
        "length": _fact(made.tally.length),
        "people": people,
        "principles": dict(Counter(row["principle"] for row in made.rows).most_common()),
    }


def _write(out: Path, rows: Sequence[Mapping[str, Any]], nothing: str, left: Mapping[str, int]) -> None:
    """Write the rows in one step. Raises UserError where there are none."""
    if not rows:
        raise UserError(
            f"{nothing}: {_counts(left) or 'nothing was asked'}",
            "give it more room: max_tokens=1024, or look at what it says with dragoman generate",
        )
    durable.write(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(errors="replace"))


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(found.items(), key=lambda one: (-one[1], one[0])))


def _shown(one: Estimate | None) -> str:
    return "" if one is None else f"{figure(one)} of {one.n:,}"


def _fact(one: Estimate | None) -> dict[str, Any] | None:
    return None if one is None else {"value": one.value, "low": one.low, "high": one.high, "n": one.n}


def _facts(found: Sequence[Estimate | None]) -> list[dict[str, Any] | None]:
    return [_fact(one) for one in found] if any(one is not None for one in found) else []


def _named(found: Mapping[str, Estimate | None]) -> dict[str, Any]:
    return {side: _fact(one) for side, one in found.items() if one is not None}
