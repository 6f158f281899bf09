"""The shape of sentences in two languages, a column for each or one object that holds both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from dragoman.core.config import nearest
from dragoman.core.errors import UserError
from dragoman.core.project import Columns
from dragoman.core.types import Example, Message
from dragoman.data.columns import Schema, identify
from dragoman.data.problems import Problem, Row
from dragoman.data.shaping import Shaped, Wanted, answers_of, cell, facts, found_column, tidy

__all__ = ["Translate"]

INSIDE = ("translation", "translations")
# ISO 639-1; "id" is left out, for it names a row more often than Indonesian.
CODES = (
    "aa ab af ak am ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et "
    "eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia ie ig ii ik io is it iu ja jv ka kg ki kj "
    "kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no "
    "nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta "
    "te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
NAMES = (
    "arabic chinese czech danish dutch english finnish french german greek hebrew hindi hungarian indonesian italian "
    "japanese korean norwegian persian polish portuguese romanian russian spanish swedish thai turkish ukrainian urdu "
    "vietnamese"
)


@dataclass(frozen=True, slots=True)
class Translate:
    """A sentence and its translation; the instruction to translate is no part of the example."""

    source: str = "en"
    "The column with the sentence, or its language inside the object."
    target: str = "de"
    "The column with the translation, or a list of them, or its language inside the object."
    inside: str = ""
    "The column with an object that holds both, as in {translation: {en: ..., de: ...}}."
    id: str = ""
    "The column that identifies a row."
    group: str = ""
    "Rows with the same value here stay together."
    tasks: ClassVar[tuple[str, ...]] = ("translate", "write")

    @classmethod
    def fits(cls, schema: Schema) -> float:
        """High where two columns, or two keys of one object, are named by languages."""
        return 0.9 if len(_languages(schema, found_column(schema, INSIDE))) > 1 else 0.0

    @classmethod
    def choose(cls, schema: Schema, wanted: Wanted) -> tuple[Self, list[str]]:
        """English first, then the languages in the order of the columns; the columns text and label say otherwise.

        Raises UserError where there are not two.
        """
        said: list[str] = []
        inside = found_column(schema, INSIDE)
        every = _languages(schema, inside)
        inside = inside if every and every[0] not in schema.columns else ""
        for name in (wanted.columns.text, wanted.columns.label):
            if name and name not in every and name not in schema.columns:
                hint = f"{nearest(name, every)}; data.columns.text=NAME and data.columns.label=NAME say which"
                raise UserError(f"no row has the language '{name}'", hint)
        ordered = sorted(every, key=lambda name: not name.lower().startswith("en"))
        source = wanted.columns.text or next((name for name in ordered if name != wanted.columns.label), "")
        rest = [name for name in ordered if name != source]
        target = wanted.columns.label or next(iter(rest), "")
        if not source or not target:
            problem = f"two columns named by languages are needed, and there are {', '.join(every) or 'none'}"
            raise UserError(problem, "data.columns.text=NAME and data.columns.label=NAME say which")
        others = [name for name in rest if name != target]
        if not wanted.columns.text or not wanted.columns.label:
            more = (
                f"; it could also be {', '.join(map(repr, others))}: data.columns.label={others[0]}" if others else ""
            )
            said.append(f"from column '{source}' to column '{target}'{more}")
        return cls(source, target, inside, *identify(schema, wanted.columns, said)), said

    def used(self) -> Columns:
        """The columns it reads."""
        return Columns(text=self.source, label=self.target, id=self.id, group=self.group)

    def __call__(self, row: Row) -> Shaped:
        """The example of a row. Problems: missing-column, missing-value, wrong-type, empty-text, empty-answer."""
        found: list[str] = []
        pair = row
        if self.inside:
            held = row.values.get(self.inside)
            if not isinstance(held, Mapping):
                return Problem("wrong-type", row.place, f"the column '{self.inside}' holds no object of languages")
            pair = Row(row.place, held)
        text = cell(pair, self.source)
        if isinstance(text, Problem):
            return text
        text = tidy(text, found)
        if not text:
            return Problem("empty-text", row.place, f"the sentence in '{self.source}' is empty")
        answers = answers_of(pair, self.target, found)
        if isinstance(answers, Problem):
            return answers
        example = Example((Message("user", text),), answers, meta=facts(row, self.used()))
        return example, tuple(dict.fromkeys(found))


def _languages(schema: Schema, inside: str) -> list[str]:
    """The columns that are named by languages, or the keys of the object in `inside`."""
    if inside:
        held: Mapping[str, Any] = next(
            (row[inside] for row in schema.samples if isinstance(row.get(inside), Mapping)), {}
        )
        return [name for name, value in held.items() if isinstance(value, str)]
    return [
        name
        for name, column in schema.columns.items()
        if column.kinds["str"] and (name.lower() in NAMES.split() or _code(name) in CODES.split())
    ]


def _code(name: str) -> str:
    """The language of a code with or without a region or script: de, de_DE, zh-Hans."""
    base, mark, rest = name.replace("-", "_").partition("_")
    return base.lower() if len(base) == 2 and (not mark or 2 <= len(rest) <= 4) else ""
