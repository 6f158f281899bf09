"""From a source to examples: rows are read, their shape and columns found from all of them, texts cleaned, all of it
counted."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.core.registry import Registry
from dragoman.core.types import Example
from dragoman.data.columns import Schema, listed
from dragoman.data.lines import LINE_LIMIT
from dragoman.data.mixture import read_mixture
from dragoman.data.problems import Place, Problem, Row, refuse
from dragoman.data.read import scan
from dragoman.data.shaping import Shaped, Wanted
from dragoman.data.templates import Templated, find_template

__all__ = ["SHAPES", "TASKS", "Loaded", "guess_task", "load", "require"]

SHAPES = Registry("dragoman.data.shapes", "shape")
TASKS = ("classify", "tag", "answer", "summarize", "translate", "chat", "write")
TEMPLATE = "template"  # the shape of rows that a prompt template was laid over
MIXTURE = "mixture"  # and of several sets that came in different ones
RARE_COLUMN = 0.5  # a column in fewer rows than this is an extra field
UNLIKELY = 0.1  # a shape that fits less is none
RIVAL = 0.55  # one that fits at least so well, and was not taken, is said
# What a set is for when nobody says it.
MEANT = {
    "classify": "classify",
    "tag": "tag",
    "squad": "answer",
    "summarize": "summarize",
    "translate": "translate",
    "chat": "chat",
    "instruct": "chat",
    "preference": "chat",
    "ranked": "chat",
    "thumbs": "chat",
    "completion": "write",
    "plain": "write",
    "template": "write",
}
FEW = 20  # different answers that still look like labels
SHORT = 40  # characters of one


@dataclass(frozen=True, slots=True)
class Loaded:
    """A source after reading: its examples, what was refused, and what was counted on the way.

    `rows` counts the rows that could be read at all, `notes` what was changed or is odd, `said` the guesses in words,
    `schema` each column with its rows, types and values, from all rows, `shape` the name of the shape they came in.
    """

    source: str
    examples: tuple[Example, ...]
    problems: tuple[Problem, ...]
    notes: Mapping[str, int]
    columns: Columns
    said: tuple[str, ...]
    schema: Mapping[str, Mapping[str, Any]]
    rows: int
    shape: str = "classify"


def load(
    source: str,
    *,
    task: str = "classify",
    shape: str = "",
    template: str = "",
    columns: Columns | None = None,
    labels: Collection[str] = (),
    multi_label: bool = False,
    labelled: bool = True,
    root: Path = Path(),
    max_line: int = LINE_LIMIT,
    stdin: BinaryIO | None = None,
) -> Loaded:
    """Read a set whole. Rows that are refused are in `problems`; `require` turns them into an error.

    `task` is that of a scope and bounds which shapes are thought of; empty thinks of all. `shape` names one, `template`
    is a prompt template laid over the raw rows instead (a name, a text, or file#dataset/name). A source that ends with
    .toml is a mixture: each of its sets is read as that file says, and gives `meta["task"]` its name. `columns` are the
    given ones (the rest is guessed and said), `labels` those of the scope (empty: any). With `labelled` False only
    texts are read. Raises UserError when the source, a needed column, or a shape that fits is not there.
    """
    if source.endswith(".toml"):
        return _mixed(source, root, max_line)
    given = columns or Columns()
    schema = Schema()
    rows: list[Row] = []
    problems: list[Problem] = []
    notes: Counter[str] = Counter()
    said: list[str] = []
    for found in scan(source, root=root, max_line=max_line, stdin=stdin):
        if isinstance(found, Row):
            schema.see(found)
            rows.append(found)
        elif found.refused:
            problems.append(found)
        else:
            notes[found.name] += 1
            if found.name == "separator":
                said.append(f"{found.place.file}: {found.reason}")
    wanted = Wanted(given, tuple(labels), multi_label, labelled)
    if not rows:
        name = TEMPLATE if template else shape or task or "classify"
        return Loaded(source, (), tuple(problems), notes, given, tuple(said), {}, 0, name)
    if template:
        name, shaped, guesses = TEMPLATE, Templated.choose(find_template(template, root), schema, wanted), []
    else:
        name = shape or _guess(schema, task, said)
        shaped, guesses = SHAPES.kind(name).choose(schema, wanted)
    examples = _shaped(rows, shaped, bool(given.id), problems, notes)
    rare = {name for name, column in schema.columns.items() if column.rows < RARE_COLUMN * schema.rows}
    extra = sum(1 for row in rows if rare & row.values.keys()) if rare else 0
    if extra:
        notes["extra-column"] = extra
    used: Columns = shaped.used()
    told = (*said, *guesses)
    return Loaded(source, tuple(examples), tuple(problems), notes, used, told, schema.table(), schema.rows, name)


def _mixed(source: str, root: Path, max_line: int) -> Loaded:
    """Every set of a mixture, one behind the other."""
    path = root / source
    parts = {
        name: load(
            part.source,
            task=part.task,
            shape=part.shape,
            template=part.template,
            columns=part.columns,
            root=path.parent,
            max_line=max_line,
        )
        for name, part in read_mixture(path).items()
    }
    shapes = {loaded.shape for loaded in parts.values()}
    return Loaded(
        source,
        tuple(
            replace(example, meta={**example.meta, "task": name})
            for name, loaded in parts.items()
            for example in loaded.examples
        ),
        tuple(problem for loaded in parts.values() for problem in loaded.problems),
        sum((Counter(loaded.notes) for loaded in parts.values()), Counter()),
        Columns(),
        tuple(f"{name}: {said}" for name, loaded in parts.items() for said in loaded.said),
        {f"{name}.{column}": facts for name, loaded in parts.items() for column, facts in loaded.schema.items()},
        sum(loaded.rows for loaded in parts.values()),
        shapes.pop() if len(shapes) == 1 else MIXTURE,
    )


def _guess(schema: Schema, task: str, said: list[str]) -> str:
    """The shape that fits the columns best, of those that serve the task; it is said with its rivals."""
    if task and task not in TASKS:
        raise UserError(f"there is no task named '{task}'", f"{nearest(task, TASKS)}; scope.task=NAME says which")
    kinds = {name: SHAPES.kind(name) for name in SHAPES.names()}
    serving = [name for name, kind in kinds.items() if not task or task in kind.tasks]
    if len(serving) == 1:
        return serving[0]  # nothing to choose; it says itself which column it lacks
    fit = {name: float(kinds[name].fits(schema)) for name in serving}
    best = max(serving, key=lambda name: fit[name])
    if fit[best] <= UNLIKELY:
        problem = f"no shape{f' for {task}' if task else ''} fits the columns: {listed(schema)}"
        raise UserError(problem, f"data.shape=NAME says which, of {', '.join(serving)}; data.template=TEXT writes one")
    others = [name for name in sorted(serving, key=lambda name: -fit[name]) if name != best and fit[name] >= RIVAL]
    more = f"; it could also be {' or '.join(others)}: data.shape={others[0]}" if others else ""
    said.append(f"shape = {best}{more}")
    return best


def guess_task(loaded: Loaded) -> str:
    """The task of a scope that a set is most likely for; "write" where its answers are texts of any kind.

    A completion of which few, short ones come back is a label, and the task then to classify.
    """
    answers = Counter(answer for example in loaded.examples for answer in example.answers)
    few = len(answers) <= min(FEW, len(loaded.examples) // 2)
    if loaded.shape in ("completion", "instruct", TEMPLATE) and few and all(len(one) <= SHORT for one in answers):
        return "classify"
    return MEANT.get(loaded.shape, "write")


def _shaped(
    rows: list[Row], shape: Callable[[Row], Shaped], strict_id: bool, problems: list[Problem], notes: Counter[str]
) -> list[Example]:
    """The examples of the rows. A second row with an id is refused where the id column was given, else only counted."""
    examples: list[Example] = []
    seen: dict[str, Place] = {}
    for row in rows:
        made = shape(row)
        if isinstance(made, Problem):
            problems.append(made)
            continue
        example, found = made
        name = example.meta.get("id")
        if name is not None and name in seen:
            if strict_id:
                problems.append(Problem("duplicate-id", row.place, f"the id '{name}' stands at {seen[name]} too"))
                continue
            notes["duplicate-id"] += 1
        elif name is not None:
            seen[name] = row.place
        notes.update(found)
        examples.append(example)
    return examples


def require(loaded: Loaded, keep_going: bool = False) -> None:
    """Raise UserError when rows were refused (unless `keep_going`), or when no example is left."""
    if not keep_going:
        refuse(loaded.problems, loaded.source)
    if not loaded.examples:
        refuse(loaded.problems, loaded.source)
        raise UserError(f"0 examples in {loaded.source}", "data.source=PATH names other data")
