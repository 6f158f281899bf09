"""Bounds on what a chat or prompt template may make: a program of somebody else's must not fill the memory.

Counted are the steps of all ranges, the characters of all output, captured or not, and what operators, methods of texts
and filters make, which is looked at before they run. Not covered: a template that burns time on purpose (loops over
long texts, sorting), and what the loops over one long text keep of it letter by letter.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

__all__ = ["MOST", "Steps", "bind", "counted", "weigh"]

MOST = 8 << 20  # characters a dialogue may have: far beyond any context, far below the memory
_STEPS = 100_000  # what all ranges of one template may count together
_TIMES = 4  # a text may be captured, and written again, so many times in all
_ALL = 128  # and all operators, methods and filters together so many times that
_PLACE = 8  # bytes of a place in a list
_DIGITS = 4096  # bits of a whole number
_KEY = "the steps of this dialogue"  # no template can spell this name
_WRITE, _JOIN = "written here", "joined here"  # nor those of these filters
_NUMBER = re.compile(r"\d+")
_BRACE = re.compile(r"\{")


class Steps:
    """The steps that the ranges of one template have left, and the characters that it may still write."""

    def __init__(self) -> None:
        self._left = _STEPS
        self._room = _TIMES * MOST
        self._budget = _ALL * MOST

    @property
    def hidden(self) -> dict[str, Any]:
        """What the template is given so that its output can be counted."""
        return {_KEY: self}

    def range(self, *bounds: int) -> range:
        """Python's own, as long as steps are left. Raises OverflowError."""
        counted = range(*bounds)
        self._left -= len(counted)
        if self._left < 0:
            raise OverflowError(f"its loops count beyond {_STEPS:,}")
        return counted

    def make(self, size: int) -> None:
        """Something of that many characters will be made. Raises OverflowError where it, or all of it, is too much."""
        self._budget -= size
        if size > MOST or self._budget < 0:
            raise OverflowError("a text too long")

    def write(self, text: str) -> str:
        """The text, as long as there is room for it. Raises OverflowError."""
        self._room -= len(text)
        if self._room < 0:
            raise OverflowError(f"it writes more than {_TIMES * MOST:,} characters")
        return text


def weigh(*values: Any) -> int:
    """How many characters the values hold, with all that lies in them; a little more than MOST where it is more."""
    total, waiting = 0, list(values)
    while waiting and total <= MOST:
        value = waiting.pop()
        total += 1
        if isinstance(value, str | bytes):
            total += len(value)
        elif isinstance(value, Mapping):
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            total += len(value)
            waiting += value
        elif type(value).__name__ == "Namespace":
            raise OverflowError("a namespace is no text")
    return total


def bind(room: Any) -> None:
    """Let a jinja2 environment look at operators, calls and filters before they run."""
    from jinja2 import pass_context

    call = room.call

    def bounded(context: Any, method: Any, *words: Any, **named: Any) -> Any:
        said = dict(named)  # a template's own words, all of them weighed
        bound = getattr(method, "__wrapped__", method)  # the sandbox wraps str.format
        owner, name = getattr(bound, "__self__", None), getattr(bound, "__name__", "")
        if isinstance(owner, str | bytes | int):
            if name == "join" and words and not isinstance(words[0], str | bytes | list | tuple | Mapping):
                words = (_gather(_steps(context), words[0], 0), *words[1:])
            _steps(context).make(_made(owner, name, [*words, *said.values()]))
        return call(context, method, *words, **said)

    room.intercepted_binops = frozenset(("+", "%", "*", "**"))
    room.call_binop = _operate
    room.call = bounded
    room.globals.pop("lipsum", None)  # a text as long as one likes
    for name in ("pprint", "urlize", "xmlattr"):  # for web pages, and hard to bound
        room.filters.pop(name, None)
    for name, filtered in list(room.filters.items()):
        room.filters[name] = pass_context(_looked_at(name, filtered))


def counted(room: Any, source: str) -> Any:
    """A template of that source in which all output, and every part that `~` joins, is counted."""
    from jinja2 import nodes, pass_context

    @pass_context
    def write(context: Any, value: Any) -> str:
        if not isinstance(value, str):
            _steps(context).make(weigh(value))
        return _steps(context).write(str(value))

    @pass_context
    def join(context: Any, value: Any) -> Any:
        _steps(context).make(weigh(value))
        return value

    room.filters |= {_WRITE: write, _JOIN: join}
    parsed = room.parse(source)
    for output in parsed.find_all(nodes.Output):
        output.nodes = [_through(nodes, _WRITE, one) for one in output.nodes]
    for joined in parsed.find_all(nodes.Concat):
        joined.nodes = [_through(nodes, _JOIN, one) for one in joined.nodes]
    parsed.set_environment(room)
    return room.template_class.from_code(room, room.compile(parsed), room.make_globals(None), None)


def _steps(context: Any) -> Steps:
    steps: Steps = context.parent[_KEY]
    return steps


def _through(nodes: Any, name: str, inner: Any) -> Any:
    plain = nodes.Const(inner.data, lineno=inner.lineno) if isinstance(inner, nodes.TemplateData) else inner
    return nodes.Filter(plain, name, [], [], None, None, lineno=inner.lineno)


def _made(owner: str | bytes | int, name: str, words: list[Any]) -> int:
    """At most how many characters a method of a text or a number makes."""
    largest = max((abs(word) for word in words if isinstance(word, int)), default=0)
    if isinstance(owner, int):
        return largest
    held = weigh(*words)
    if name in ("join", "translate"):
        return held + len(owner) * (_longest(words) if name == "translate" else _count(words))
    if name == "replace" and len(words) > 1 and isinstance(owner, str) and isinstance(words[0], str):
        return len(owner) + owner.count(words[0]) * weigh(words[1])
    if name in ("format", "format_map") and isinstance(owner, str):
        return len(owner) + len(_BRACE.findall(owner)) * (held + _largest(owner)) + largest
    if name == "expandtabs":
        return len(owner) * max(8, largest)
    return len(owner) + largest


def _longest(words: Iterable[Any]) -> int:
    return max((weigh(word) for word in words), default=0)


def _count(words: Iterable[Any]) -> int:
    return sum(len(word) for word in words if isinstance(word, list | tuple | str | dict))


def _largest(text: str) -> int:
    """The largest number that is written in a format: a width or a precision."""
    return max((int(found) if len(found) < 12 else MOST + 1 for found in _NUMBER.findall(text)), default=0)


def _operate(context: Any, operator: str, left: Any, right: Any) -> Any:
    """The result of an operator, unless it would fill the memory. Raises OverflowError."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if operator == "**":
        if max(abs(left), abs(right)) > 64:
            raise OverflowError("a power too large")
        return left**right
    if operator == "%":
        if isinstance(left, str | bytes):
            pattern = left if isinstance(left, str) else left.decode("latin-1")
            _steps(context).make(len(left) + _formatted(pattern, right))
        return left % right
    if operator == "+":
        if not numbers:
            _steps(context).make(_size(left) + _size(right))
        return left + right
    if numbers:
        if sum(one.bit_length() for one in (left, right) if isinstance(one, int)) > _DIGITS:
            raise OverflowError("a number too large")
        return left * right
    _steps(context).make(_size(left) * _size(right))
    return left * right


def _size(value: Any) -> int:
    """What a copy of the value takes, what lies in a list not counted; a number is itself."""
    if isinstance(value, list | tuple):
        return _PLACE * len(value)
    return len(value) if isinstance(value, str | bytes) else abs(value)


def _formatted(pattern: str, given: Any) -> int:
    """At most how many characters `pattern % given` adds: each place may take all that is given, as wide as is said."""
    words = given if isinstance(given, tuple) else (given,)
    stars = max((abs(word) for word in words if isinstance(word, int)), default=0) if "*" in pattern else 0
    return pattern.count("%") * (_longest(words) + _largest(pattern) + stars)


def _looked_at(name: str, filtered: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of jinja2 that is told the context, and whose result is bounded beforehand."""
    mark = getattr(getattr(filtered, "jinja_pass_arg", None), "name", "")  # what the filter wants to be given first

    def bounded(context: Any, value: Any = None, *words: Any, **named: Any) -> Any:
        said = dict(named)  # a template's own words, all of them weighed
        steps, rest = _steps(context), [*words, *said.values()]
        if name in ("join", "list") and not isinstance(value, str | Mapping):
            value = _gather(steps, value, weigh(*rest) if name == "join" else 0)
        else:
            steps.make(_filtered(name, value, rest))
        first = {"context": [context], "eval_context": [context.eval_ctx], "environment": [context.environment]}
        return filtered(*first.get(mark, []), value, *words, **said)

    return bounded


def _filtered(name: str, value: Any, rest: list[Any]) -> int:
    """At most how many characters a filter makes of a value."""
    largest = max((abs(word) for word in rest if isinstance(word, int)), default=0)
    if name in ("string", "sum"):
        return weigh(value)
    if name == "tojson":
        return weigh(value) * (6 + largest)  # a letter may become \\u0000, and stand on a line of its own
    if name in ("replace", "format", "center", "indent", "wordwrap"):
        size, text = weigh(value), str(value) if isinstance(value, str | int | float) else ""
        if name == "replace":
            return size + _made(text, "replace", rest)
        if name == "format":
            return size + _formatted(text, tuple(rest))
        if name == "center":
            return size + largest
        return size + (len(text) if name == "wordwrap" else text.count("\n") + 1) * (4 + largest + weigh(*rest))
    return (_size(value) if isinstance(value, str | bytes | list | tuple) else 0) + _PLACE * largest


def _gather(steps: Steps, values: Iterable[Any], between: int) -> list[Any]:
    """The values as a list, weighed one by one: a chain of filters makes them only when it is asked."""
    parts, total = [], 0
    for part in chain(values):
        size = weigh(part) + between + _PLACE
        total += size
        steps.make(size if total <= MOST else total)
        parts.append(part)
    return parts
