"""Prompt templates: a row becomes what is asked and, behind " ||| ", what is to be answered.

They are written in Jinja, as those of PromptSource are (Bach et al., 2022), and run in jinja2's sandbox; what they may
write is bounded by `core.bounds`. Beside the columns of the row a template sees `answer_choices`, a list that is a
template of its own, and the filters `choice` (drawn by the content of the row, so always the same) and
`most_frequent`. A column that a row lacks is an error, not an empty text.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

from dragoman.core.bounds import MOST, Steps, bind, counted
from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.columns import Schema, identify
from dragoman.data.problems import Problem, Row
from dragoman.data.shaping import Shaped, Wanted, facts, tidy

__all__ = ["NAMED", "Template", "Templated", "find_template", "read_templates"]

MARK = "|||"
_HELD = "\ue0fa\ue0fb\ue0fa"  # stands for the mark where a row holds it
_DRAW = "the draws of this row"  # no template can spell this name
_HINT = "data.template=NAME names a built-in one, data.template=TEXT writes one, FILE#dataset/name takes it from a file"

# What a newcomer would write, one of each kind of task.
NAMED: Mapping[str, str] = {
    "alpaca": "{{ instruction }}{% if input is defined and input %}\n\n{{ input }}{% endif %} ||| {{ output }}",
    "dolly": "{{ instruction }}{% if context is defined and context %}\n\n{{ context }}{% endif %} ||| {{ response }}",
    "question": "{{ context }}\n\n{{ question }} ||| {{ answers.text[0] if answers.text is defined else answers[0] }}",
    "closed_question": "{{ question }} ||| {{ answer }}",
    "summarize": (
        "Sum up the following text in one or two sentences.\n\n"
        "{{ dialogue if dialogue is defined else document if document is defined else article if article is defined "
        "else text }} ||| {{ summary if summary is defined else highlights }}"
    ),
    "translate": "Translate from English to German.\n\n{{ en }} ||| {{ de }}",
    "sentiment": "{{ text }}\n\nIs this positive or negative? ||| {{ ['negative', 'positive'][label | int] }}",
    "topic": "{{ text }}\n\nWhat is this about? ||| {{ label }}",
    "entailment": (
        "{{ premise }}\n\nDoes it follow that: {{ hypothesis }} Yes or no? ||| {{ ['no', 'yes'][label | int] }}"
    ),
    "preference": "{{ prompt }} ||| {{ chosen }}",
    "title": "{{ text }}\n\nWrite a title for this text. ||| {{ title }}",
}


@dataclass(frozen=True)
class Template:
    """A prompt template and the choices of its answers, which are a template of their own with "|||" between them."""

    source: str
    choices: str = ""

    def render(self, values: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
        """The prompt and the answers that the template makes of a row; any may be empty.

        Raises ValueError, which says in one line what the template lacks or may not do.
        """
        held = {name: _without_mark(value) for name, value in values.items()}
        steps = Steps()
        draw = random.Random(hashlib.sha256(repr(sorted(values.items(), key=str)).encode("utf-8", "replace")).digest())
        given = {**held, "range": steps.range, "zip": _zip, _DRAW: draw, **steps.hidden}
        if self.choices:
            given["answer_choices"] = [part.strip() for part in self._written(self._choices, given).split(MARK)]
        prompt, *answers = (part.strip().replace(_HELD, MARK) for part in self._written(self._ready, given).split(MARK))
        return prompt, tuple(answers)

    def check(self) -> None:
        """Raise ValueError where the template or its choices are not Jinja."""
        from jinja2.exceptions import TemplateSyntaxError

        try:
            all((self._ready, self._choices))
        except TemplateSyntaxError as error:
            raise ValueError(f"it is broken at line {error.lineno}: {error.message}") from None

    @cached_property
    def _ready(self) -> Any:
        return counted(_room(), self.source)

    @cached_property
    def _choices(self) -> Any:
        return counted(_room(), self.choices)

    def _written(self, ready: Any, given: Mapping[str, Any]) -> str:
        from jinja2.exceptions import SecurityError, TemplateError

        try:
            parts, size = [], 0
            for part in ready.generate(given):
                size += len(part)
                if size > MOST:
                    raise OverflowError(f"it writes more than {MOST:,} characters")
                parts.append(part)
            return "".join(parts)
        except SecurityError as error:
            raise ValueError(f"it does what no template may do: {error}") from None
        except TemplateError as error:
            raise ValueError(str(error)) from None
        except Exception as error:  # somebody else's program, and any mistake it can make
            raise ValueError(f"{type(error).__name__}: {error}") from None


@cache
def _room() -> Any:
    """The sandbox that all templates run in: a column that is not there is an error."""
    from jinja2 import StrictUndefined, pass_context
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    room = ImmutableSandboxedEnvironment(undefined=StrictUndefined)

    @pass_context
    def choice(context: Any, values: Iterable[Any]) -> Any:
        return context.parent[_DRAW].choice(list(values))

    room.filters |= {"choice": choice, "most_frequent": _most_frequent}
    bind(room)
    return room


def _most_frequent(values: Iterable[Any]) -> list[Any]:
    counts = Counter(values).most_common()
    return [value for value, count in counts if count == counts[0][1]]


def _zip(*columns: Iterable[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=False))


def _without_mark(value: Any) -> Any:
    """The value with the mark in its texts replaced: only the template says where the answer begins."""
    if isinstance(value, str):
        return value.replace(MARK, _HELD)
    if isinstance(value, list | tuple):
        return [_without_mark(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _without_mark(one) for name, one in value.items()}
    return value


@dataclass(frozen=True)
class Templated:
    """The shape of raw rows of any kind that a template is laid over: one user message, and the answers."""

    template: Template
    id: str = ""
    group: str = ""
    labels: tuple[str, ...] = ()

    @classmethod
    def choose(cls, template: Template, schema: Schema, wanted: Wanted) -> Self:
        """The template over these columns."""
        return cls(template, *identify(schema, wanted.columns, []), labels=wanted.labels)

    def used(self) -> Columns:
        """The columns that are known by name; what the template reads is its own."""
        return Columns(id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row. Problems: template-failed, template-empty, label-outside-scope."""
        found: list[str] = []
        try:
            prompt, given = self.template.render(row.values)
        except ValueError as error:
            return Problem("template-failed", row.place, f"the template cannot be laid over this row: {error}")
        prompt = tidy(prompt, found)
        answers = tuple(dict.fromkeys(text for answer in given if (text := tidy(answer, found))))
        if not prompt or not answers:
            which = "prompt" if not prompt else "answer"
            return Problem("template-empty", row.place, f"the template makes no {which} of this row: it is not for it")
        strange = next((answer for answer in answers if self.labels and answer not in self.labels), None)
        if strange is not None:
            reason = f"the answer '{strange:.60}' is not one of the scope; {nearest(strange, self.labels)}"
            return Problem("label-outside-scope", row.place, reason, "scope.labels names the labels")
        return Example((Message("user", prompt),), answers, meta=facts(row, self.used())), tuple(dict.fromkeys(found))


def find_template(spec: str, root: Path = Path()) -> Template:
    """The template that a person means: the name of a built-in one, its text, FILE or FILE#dataset/name.

    Raises UserError where there is none, it is not Jinja, or it does not say where the answer begins.
    """
    if "{{" in spec or "{%" in spec:
        made = Template(spec)
    elif spec in NAMED:
        made = Template(NAMED[spec])
    else:
        file, mark, name = spec.partition("#")
        path = root / file
        if not path.is_file():
            raise UserError(f"there is no template named '{spec}'", f"{nearest(spec, NAMED)}; {_HINT}")
        made = _of_file(path, name.strip()) if mark else Template(path.read_text(encoding="utf-8"))
    try:
        made.check()
    except ValueError as error:
        raise UserError(f"the template cannot be used: {error}", _HINT) from None
    if MARK not in made.source:
        hint = 'write " ||| " between them: data.template="{{ text }} ||| {{ label }}"'
        raise UserError("the template does not say where the prompt ends and the answer begins", hint)
    return made


def _of_file(path: Path, name: str) -> Template:
    every = read_templates(path)
    if name not in every:
        raise UserError(f"{path} holds no template '{name}'", f"{nearest(name, every)}; {_HINT}")
    return every[name]


def read_templates(path: Path) -> dict[str, Template]:
    """The templates of a file of JSON lines (dataset, subset, name, jinja, answer_choices), by dataset/[subset/]name.

    Raises UserError with the line that is none.
    """
    every: dict[str, Template] = {}
    # Not by splitlines: a template may hold other ends of a line, such as U+2028, which JSON leaves as they are.
    for number, line in enumerate(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"), start=1):
        try:
            row = json.loads(line)
            parts = [row["dataset"], row.get("subset"), row["name"].strip()]
            made = Template(str(row["jinja"]), str(row.get("answer_choices") or ""))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"{path}:{number} is no template: {type(error).__name__}: {error}"
            raise UserError(problem, "each line holds dataset, name and jinja; " + _HINT) from None
        every["/".join(str(part) for part in parts if part)] = made
    return every
