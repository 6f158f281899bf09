"""Hold a candidate that served a share of the requests against the control, and let it serve all where that is proven.

The evidence may be looked at any time: looking often makes no false promotion likelier. Without dry=false nothing
changes; force=true promotes any run, whatever is proven, and so takes a promotion back. Exit code 0 where the candidate
is to be promoted or was, 1 where it is not.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.runs import Run, find
from dragoman.core.show import Show
from dragoman.evals.canary import Arm, Difference, Seen, Trial, judge_trial
from dragoman.serve.journal_read import Kept, walk
from dragoman.stages.assistants import pick
from dragoman.stages.collect import JOURNAL
from dragoman.stages.promotions import Promotion, keep_promotion, promoted
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("candidate",)
SECTIONS = False


@dataclass(frozen=True)
class Settings:
    """The words of `dragoman promote`."""

    candidate: str = ""
    "The run that is tried, as canary= named it; empty takes the one that answered fewer requests of the newest trial."
    control: str = ""
    "What it is held against; empty takes the other one of the trial."
    dry: bool = True
    "Whether the evidence is only shown."
    force: bool = False
    "Promote whatever is proven; with an earlier run, this takes a promotion back."
    alpha: float = 0.05
    "The probability of promoting a candidate that is no better, over all looks together."
    margin: float = 0.0
    "How far the share of thumbs up may lie below the control's; 0 asks for a better one."
    slower: float = 1.5
    "How many times the control's median time the candidate may take."
    journal: str = ""
    "The file of the journal; empty is journal.sqlite beside the runs."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Show the evidence, and promote where it is asked for and proven, or forced."""
    if not 0 < settings.alpha < 1 or not 0 <= settings.margin < 1 or settings.slower <= 0:
        raise UserError("alpha, margin or slower is out of range", "say alpha=0.05 margin=0.02 slower=1.5")
    root = folder_of(settings.project, settings.runs, settings.candidate)
    path = typed(settings.journal) if settings.journal else root / JOURNAL
    if settings.force and not settings.candidate:
        raise UserError("force=true needs the run that is to serve", "name it: dragoman promote RUN force=true")
    rows = list(_tried(path)) if path.is_file() or not settings.force else []
    arms = _arms(rows, settings, root)
    trial = None
    if arms is not None:
        trial = judge_trial(*arms, alpha=settings.alpha, margin=settings.margin, slower=settings.slower)
        show.card(f"{trial.candidate} against {trial.control}", _lines(trial), mark=_mark(trial))
    elif not settings.force:
        raise UserError(f"there is no trial in {path}", "serve one: dragoman serve RUN,CANDIDATE canary=CANDIDATE:0.1")
    proven = trial is not None and trial.verdict == "promote"
    evidence = asdict(trial) if trial is not None else {}
    if not settings.force and (settings.dry or not proven):
        if proven:
            show.say("nothing is changed: dry=false promotes it")
        show.result({"promoted": "", **evidence}, always=False)
        return 0 if proven else 1
    made = _run_of(rows, trial.candidate if trial is not None and not settings.force else settings.candidate, root)
    before = _serving(root)
    why = trial.why if trial is not None and proven else "forced"
    keep_promotion(root, Promotion(made.id, _now(), before, why, not proven, evidence))
    told = [("serves from its next start", made.id), ("before", before or "nothing"), ("why", why)]
    if not proven:
        told.append(("FORCED", "nothing proves that people like it better"))
    told.append(("back", f"dragoman promote {before} force=true" if before else "there was none before"))
    show.card("promoted", told, mark="good" if proven else "bad")
    show.result({"promoted": made.id, "before": before, "forced": not proven, **evidence})
    return 0


@dataclass(frozen=True, slots=True)
class _Row:
    """One request of a trial."""

    arm: str
    at: float
    run: str
    seen: Seen


def _tried(path: Path) -> list[_Row]:
    """The requests of all trials in a journal, the oldest first; those that were a client's mistake are left out."""
    return [_row(one) for one in walk(path) if one.entry.arm and not 400 <= one.entry.status < 500]


def _row(one: Kept) -> _Row:
    entry = one.entry
    up = True if one.thumb == 1 else False if one.thumb == -1 or one.correction else None
    seen = Seen(up, entry.refused, entry.status >= 500, entry.seconds, entry.key)
    try:
        lineage = json.loads(entry.lineage)
    except ValueError:
        lineage = {}
    return _Row(entry.arm, entry.at, str(lineage.get("run", "")) if isinstance(lineage, dict) else "", seen)


def _arms(rows: Sequence[_Row], settings: Settings, root: Path) -> tuple[Arm, Arm] | None:
    """Control and candidate, from the candidate's first request on; None where it was not tried.

    Raises UserError where several could be meant.
    """
    counts = {name: sum(row.arm == name for row in rows) for name in {row.arm for row in rows}}
    candidate = _candidate(rows, counts, settings.candidate, root)
    if candidate not in counts:
        return None
    begun = next(row.at for row in rows if row.arm == candidate)
    since = [row for row in rows if row.at >= begun]
    others = sorted({row.arm for row in since} - {candidate})
    control = settings.control or (others[0] if len(others) == 1 else "")
    if not control and not others:
        return None
    if control not in others:
        raise UserError("the trial has no such control, or several", f"say control={others[0] if others else 'RUN'}")
    return (
        Arm(control, [row.seen for row in since if row.arm == control]),
        Arm(candidate, [row.seen for row in since if row.arm == candidate]),
    )


def _candidate(rows: Sequence[_Row], counts: dict[str, int], word: str, root: Path) -> str:
    """The name of the arm that a person means; without a word the one that answered fewer in the newest trial."""
    if word in counts:
        return word
    if word:
        made = pick(root, word).id
        return next((row.arm for row in reversed(rows) if row.run == made), made)
    last = rows[-1].arm if rows else ""
    other = next((row.arm for row in reversed(rows) if row.arm != last), last)
    return min(last, other, key=lambda name: (counts.get(name, 0), name))


def _run_of(rows: Sequence[_Row], name: str, root: Path) -> Run:
    """The run that answered under a name, or that a person means by it. Raises UserError where it is no run."""
    known = next((row.run for row in reversed(rows) if row.arm == name and row.run), "")
    return find(root, known) if known else pick(root, name)


def _serving(root: Path) -> str:
    """The run that serves where none is named; empty where there is none yet."""
    try:
        return pick(root, promoted(root)).id
    except UserError:
        return ""


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _mark(trial: Trial) -> str:
    return {"promote": "good", "keep": "bad"}.get(trial.verdict, "")


def _lines(trial: Trial) -> list[tuple[str, str]]:
    lines = [("requests", f"{trial.requests[0]:,} of the control, {trial.requests[1]:,} of the candidate")]
    lines += [("thumbs up", _told(trial.votes) if trial.votes else "not both have any")]
    lines += [("refused", _told(trial.refused)), ("failed", _told(trial.failed))]
    if trial.slower is not None:
        one = trial.slower
        lines.append(("median time", f"{one.value:.2f} times the control's [{one.low:.2f}, {one.high:.2f}]"))
    lines.append(("verdict", f"{trial.verdict}: {trial.why}"))
    if trial.more is not None:
        lines.append(("decided after", f"about {trial.more:,} more requests, if the rates stay what they are"))
    return lines


def _told(one: Difference) -> str:
    once = f"{one.once.value:+.3f} [{one.once.low:+.3f}, {one.once.high:+.3f}] at one look"
    return f"{one.control:.3f} to {one.candidate:.3f}: {once}, [{one.low:+.3f}, {one.high:+.3f}] at every look"
