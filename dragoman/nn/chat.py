"""Chat templates: a dialogue rendered as its publisher wrote it, people's words kept apart from control tokens.

The template runs in jinja2's sandbox, as in `transformers`. Before it runs, every control token that somebody typed is
broken by a character that nobody used; after it ran, the text is cut at the control tokens that are whole, which only
the template can have written; then the character goes. Covered: control tokens in any message, and those that two
messages, or a message and the template, would make together. What the template may write is bounded by `core.bounds`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from dragoman.core.bounds import MOST, Steps, bind, counted
from dragoman.core.errors import UserError
from dragoman.core.types import Message
from dragoman.nn.specials import optional

__all__ = ["Control", "Template", "Told", "read_template"]

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_PRIVATE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))  # means nothing in Unicode
_TAG = re.compile(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})")
_MEND = "give a folder with another chat_template in its tokenizer_config.json, or use dragoman generate"


@dataclass(frozen=True, slots=True)
class Control:
    """A token that a template may write and nobody else; `strict` ones not even the assistant."""

    text: str
    id: int
    strict: bool = True
    eats_left: bool = False
    "whether the spaces in front of it belong to it"
    eats_right: bool = False
    "whether the spaces behind it belong to it"


def read_template(folder: Path) -> str:
    """The chat template of a model folder, empty where it has none. Of several named ones, the one named default."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not UTF-8: {error}", _MEND) from None
    found = optional(folder / "tokenizer_config.json").get("chat_template")
    found = found or optional(folder / "chat_template.json").get("chat_template")
    if isinstance(found, list):
        named = {str(one.get("name")): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default", next(iter(named.values()), ""))
    return found if isinstance(found, str) else ""


class Template:
    """A chat template and the control tokens it may write."""

    def __init__(self, source: str, special: Mapping[str, str], controls: Sequence[Control]) -> None:
        """`special` are the names a template may use, such as bos_token. Nothing runs before the first dialogue."""
        self.source = source
        self._special = dict(special)
        self._controls = {control.text: control for control in controls if control.text}

    def sections(self, messages: Sequence[Message]) -> list[str | int]:
        """A dialogue as texts and control ids in turn, ready for the next answer; a last assistant message is
        continued.

        Raises UserError where the template is broken or refuses the dialogue, a role is unknown, or nobody speaks.
        """
        return Told(self, messages).sections(len(messages))

    def told(self, messages: Sequence[Message]) -> "Told":
        """The dialogue, to be looked at after several of its messages. Raises UserError as `sections`."""
        return Told(self, messages)

    def cut(self, text: str, place: int, lone: str) -> Iterator[tuple[str | int, int]]:
        """Texts, marks included, and control ids of what the template wrote from `place` on; and where each ends."""
        for found in re.compile(f"({self._every})(?!{lone})").finditer(text, place):
            control = self._controls[found[1]]
            begin = len(text[: found.start()].rstrip()) if control.eats_left else found.start()
            if place < begin:
                yield text[place:begin], begin
            place = found.end()
            while control.eats_right and text[place : place + 1].isspace():
                place += 1
            yield control.id, place
        if place < len(text):
            yield text[place:], len(text)

    @cached_property
    def longest(self) -> int:
        """Characters of the longest control token."""
        return max(map(len, self._controls), default=0)

    @cached_property
    def _every(self) -> str:
        return _any(self._controls)

    @cached_property
    def _typed(self) -> Mapping[bool, "_Typed"]:
        """What is broken where the assistant typed it (True), and where another did."""
        strict = [text for text, one in self._controls.items() if one.strict]
        return {True: _Typed.of(strict), False: _Typed.of(list(self._controls))}

    def marked(self, message: Message, mark: str, lone: str) -> str:
        """A message whose control tokens are broken, also those that it could make with what stands around it.

        A token of one character cannot be broken: `lone` stands behind it.
        """
        mine = self._typed[message.role == "assistant"]
        if not mine.texts or not message.content.strip():
            return message.content
        marked = message.content
        if any(text in marked for text in mine.texts):
            marked = re.sub(f"(?=(?:{mine.pattern}))(.)", rf"\g<1>{mark}", marked, flags=re.DOTALL)
            for text in mine.texts:
                marked = marked.replace(f"{text}{mark}", f"{text}{lone}") if len(text) == 1 else marked
        body = marked.strip()
        begin = marked.index(body)
        end = begin + len(body)
        within = len(body) <= self.longest and any(body in text for text in mine.texts)
        ends = within or body.startswith(mine.tails)
        begins = within or body.endswith(mine.heads)
        return marked[:begin] + mark * ends + body + mark * begins + marked[end:]

    def render(self, told: Sequence[Mapping[str, str]], continued: bool) -> str:
        """What the template writes, ready for the next answer where nothing is continued. Raises UserError."""
        from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError

        steps = Steps()
        try:
            parts: list[str] = []
            given = {
                **self._special,
                "messages": [dict(one) for one in told],
                "tools": None,
                "documents": None,
                "range": steps.range,
                **steps.hidden,
            }
            size = 0
            for part in self._ready.generate(**given, add_generation_prompt=not continued):
                size += len(part)
                if size > MOST:
                    raise OverflowError(f"it writes more than {MOST:,} characters")
                parts.append(part)
            return "".join(parts)
        except TemplateSyntaxError as error:
            raise UserError(f"the chat template is broken at line {error.lineno}: {error.message}", _MEND) from None
        except SecurityError as error:
            raise UserError(f"the chat template does what none may do: {error}", _MEND) from None
        except TemplateError as error:
            raise UserError(f"the chat template refuses this dialogue: {error}", _MEND) from None
        except Exception as error:  # the publisher's program, and any mistake it can make
            raise UserError(f"the chat template cannot be used: {type(error).__name__}: {error}", _MEND) from None

    @cached_property
    def _ready(self) -> Any:
        """The template as transformers prepares it: blocks trimmed, `break` and `continue`, three more functions."""
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        room = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        room.filters["tojson"] = _tojson
        room.globals["raise_exception"] = _refuse
        room.globals["strftime_now"] = _now
        bind(room)
        # {% generation %} marks what is learnt in training; here it changes nothing.
        source = _TAG.sub(lambda tag: f"{tag[1]}{'endif' if tag[2] else 'if true'}{tag[3]}", self.source)
        return counted(room, source)


class Told:
    """A dialogue as a template tells it after so many messages: what was found out after fewer serves again."""

    def __init__(self, template: Template, messages: Sequence[Message]) -> None:
        """Raises UserError where a role is unknown, or nobody speaks."""
        _check(messages)
        self._template = template
        self._mark, self._lone, self._stop = _unused(template.source, *(message.content for message in messages))
        self._messages = [
            {"role": one.role, "content": template.marked(one, self._mark, self._lone)} for one in messages
        ]
        self._text, self._cut = "", list[tuple[str | int, int]]()  # as it was told last

    def sections(self, count: int) -> list[str | int]:
        """The first messages as `Template.sections` gives them."""
        if not count:
            raise _nobody()
        *before, last = self._messages[:count]
        continued = last["role"] == "assistant"
        if not continued:
            return self._sections(self._template.render([*before, last], continued))
        # The space tells whether the template trims what it is given.
        open_ended = {**last, "content": f"{last['content']}{self._stop} "}
        text, found, rest = self._template.render([*before, open_ended], continued).rpartition(self._stop)
        if not found:
            raise UserError("the chat template leaves out the message that was to be continued", _MEND)
        return self._sections(text if rest.startswith(" ") else text.rstrip())

    def closed(self, count: int) -> list[str | int]:
        """The first messages, the last one over, with whatever the template writes behind it: what training learns.

        Raises UserError as `sections`.
        """
        return self._sections(self._template.render(self._messages[:count], continued=True))

    def _sections(self, text: str) -> list[str | int]:
        """Texts and control ids of what the template wrote, without the marks."""
        # Up to a control token that stands in both, with room behind it for any, the new text is cut as the old one.
        safe = len(self._text) - self._template.longest - 1
        kept = len(self._cut)
        while kept and not (
            isinstance(self._cut[kept - 1][0], int)
            and self._cut[kept - 1][1] <= safe
            and text.startswith(self._text[: self._cut[kept - 1][1]])
        ):
            kept -= 1
        del self._cut[kept:]
        clear = {ord(self._mark): None, ord(self._lone): None}
        for section, end in self._template.cut(text, self._cut[-1][1] if kept else 0, self._lone):
            plain = section if isinstance(section, int) else section.translate(clear)
            if plain != "":
                self._cut.append((plain, end))
        self._text = text
        return [section for section, _ in self._cut]


@dataclass(frozen=True, slots=True)
class _Typed:
    """Control tokens that somebody may have typed: a pattern for them, how they begin and how they end."""

    texts: tuple[str, ...]
    pattern: str
    heads: tuple[str, ...]
    tails: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "_Typed":
        """Everything that is asked of these texts."""
        heads = {text[:cut] for text in texts for cut in range(1, len(text))}
        tails = {text[cut:] for text in texts for cut in range(1, len(text))}
        return cls(tuple(texts), _any(texts), tuple(sorted(heads)), tuple(sorted(tails)))


def _check(messages: Sequence[Message]) -> None:
    if not messages:
        raise _nobody()
    for message in messages:
        if message.role not in ROLES:
            raise UserError(f"nobody speaks as '{message.role}' in a dialogue", f"one of: {', '.join(ROLES)}")


def _nobody() -> UserError:
    return UserError("a dialogue without a message has nothing to answer", "give a message to dragoman chat")


def _any(texts: Mapping[str, Control] | Sequence[str]) -> str:
    """A pattern for any of these texts, the longest first; most places of a text fail at their first character."""
    first = "".join(sorted({re.escape(text[0]) for text in texts}))
    every = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    return f"(?=[{first}])(?:{every})" if every else "(?!)"


def _unused(*texts: str) -> tuple[str, str, str]:
    """Three characters of Unicode's private use that stand in none of these texts."""
    taken = {letter for text in texts if not text.isascii() for letter in set(text) if letter >= "\ue000"}
    free = (chr(code) for codes in _PRIVATE for code in codes if chr(code) not in taken)
    found = list(islice(free, 3))
    if len(found) < 3:
        raise UserError("the dialogue uses every character of Unicode's private use", "give a text to dragoman chat")
    return found[0], found[1], found[2]


def _refuse(message: str) -> None:
    from jinja2.exceptions import TemplateError

    raise TemplateError(message)


def _now(pattern: str) -> str:
    return datetime.now().strftime(pattern)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """JSON as it is: jinja2's own filter would escape < and > for a web page."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
