"""New rows after the pattern of a few: the seeds of a file or of a project's training part, and what sifts the rows.

Of a project only the training part is shown to a model, never a row that is measured on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dragoman.app.self_instruct import LABELLED, PROMPT, WRITTEN, Made, Pattern, Sieve, self_instruct
from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.project import load as load_project
from dragoman.core.project import locate
from dragoman.core.sampling import Sampling
from dragoman.core.show import Tick
from dragoman.core.types import Example
from dragoman.data.dedupe import canonical, similarity
from dragoman.data.generated import of_people
from dragoman.data.language import hint
from dragoman.data.load import load
from dragoman.data.load import require as require_rows
from dragoman.data.problems import Row
from dragoman.data.read import scan
from dragoman.metrics._rouge import rouge_l
from dragoman.metrics.refusal import refuses
from dragoman.stages.prepare import gather, part, prepare

__all__ = ["SIEVE", "Seeds", "Task", "generate_data", "prompt_of", "read_seeds"]

Task = Literal["auto", "chat", "classify"]
SIEVE = Sieve(rouge_l, similarity, canonical, hint, refuses)
"what an example is held against: ROUGE-L as it is measured, letters and languages as data is checked"
FEWEST = 2  # seeds: of one, every row is a copy


@dataclass(frozen=True)
class Seeds:
    """Examples to write others after; of labels, what each means."""

    patterns: tuple[Pattern, ...]
    labels: Mapping[str, str]
    "empty where answers are texts of their own"
    left_out: int = 0
    "rows that a model made: they are no seeds"


def read_seeds(source: str, task: Task = "auto", keep_going: bool = False, tick: Tick = lambda *_: None) -> Seeds:
    """The seeds of a file of rows, or of the training part of a project (a folder with dragoman.toml, or the file).

    Raises UserError where rows cannot be read, their task is one that is not written here, or there are fewer than two.
    """
    if _is_project(source):
        project = load_project(locate(source))
        if project.scope.task not in ("classify", "chat", "write", "answer"):
            raise UserError(
                f"rows are not written here for the task {project.scope.task}",
                "write them for chat, answer, write or classify: scope.task=chat",
            )
        prepared = prepare(project, gather(project, tick), tick)
        examples, raw = part(prepared, "train"), dict[str, Mapping[str, Any]]()
        labels = dict(prepared.results["descriptions"]) if project.scope.task == "classify" else {}
    else:
        loaded = load(source, task="" if task == "auto" else task)
        require_rows(loaded, keep_going)
        examples = list(loaded.examples)
        raw = {str(row.place): row.values for row in scan(source) if isinstance(row, Row)}
        if loaded.shape not in ("classify", "instruct", "completion", "chat"):
            raise UserError(
                f"{source} holds rows of the shape {loaded.shape}, which are not written here",
                'write {"instruction": ..., "output": ...} or {"text": ..., "label": ...}, or say task=classify',
            )
        held = sorted({label for one in examples for label in one.answers}) if loaded.shape == "classify" else []
        labels = {label: label.replace("_", " ") for label in held}
    people, made = of_people(examples)
    patterns = [one for row, example in enumerate(people) if (one := _pattern(example, row, raw, labels))]
    if len(patterns) < FEWEST:
        raise UserError(
            f"{source} holds {len(patterns)} seeds, of which other rows could be written",
            'write some: {"instruction": ..., "output": ...} or {"text": ..., "label": ...} on each line',
        )
    return Seeds(tuple(patterns), labels, len(made))


def prompt_of(seeds: Seeds) -> str:
    """What the instruction to the model is known by."""
    return PROMPT[LABELLED if seeds.labels else WRITTEN]


def generate_data(
    seeds: Seeds, lm: LM, n: int, *, how: Sampling, by: str, shown: int = 8, tries: int = 4, tick: Tick
) -> Made:
    """`n` rows at the most, each marked as generated, and what was left out by which filter."""
    return self_instruct(
        seeds.patterns,
        lm,
        n,
        SIEVE,
        labels=seeds.labels or None,
        how=how,
        by=by,
        shown=shown,
        seed=how.seed,
        tries=tries,
        tick=tick,
    )


def _is_project(source: str) -> bool:
    path = Path(source)
    return (path / "dragoman.toml").is_file() or path.name == "dragoman.toml"


def _pattern(
    example: Example, row: int, raw: Mapping[str, Mapping[str, Any]], labels: Mapping[str, str]
) -> Pattern | None:
    """An example as a seed; None where nobody asks in it, it has several labels, or nothing is answered."""
    if not example.answers or not example.text.strip() or (labels and len(example.answers) != 1):
        return None
    name = str(example.meta.get("id", f"row {row + 1}"))
    given = raw.get(str(example.meta.get("place", "")), {})
    instruction, about = given.get("instruction"), given.get("input")
    if not labels and isinstance(instruction, str) and isinstance(about, str) and instruction.strip():
        return Pattern(name, instruction.strip(), example.answers[0], about.strip())
    return Pattern(name, example.text.strip(), example.answers[0])
