"""A typed Python signature that a language model answers: the docstring asks, the annotations say what comes back."""

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints

from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message

__all__ = ["PromptFunction", "prompt_function"]

P = ParamSpec("P")
R = TypeVar("R")
AGAIN = "That is not what was asked for: {problem}. Answer again, with JSON alone."


@dataclass(frozen=True)
class PromptFunction(Generic[P, R]):
    """What a model answers in the place of a body. The answer is held to the JSON schema of the return annotation while
    it is written, and validated once more; what does not fit is asked for again, and at last refused."""

    signature: Callable[P, R]
    lm: LM
    tries: int = 2
    max_tokens: int = 512

    def __call__(self, *given: P.args, **named: P.kwargs) -> R:
        """The answer, of the type that the annotation names. Raises UserError where none fits."""
        from pydantic import ValidationError

        adapter, schema = self._kind()
        talk: tuple[Message, ...] = (Message("user", self._asked(given, named, schema)),)
        how = Sampling(max_tokens=self.max_tokens, json_schema=json.dumps(schema))
        problem = ""
        for _ in range(self.tries):
            (one,) = self.lm.generate([talk], how)
            try:
                found: R = adapter.validate_json(one.text, strict=True)
                return found
            except ValidationError as wrong:
                first = wrong.errors()[0]
                place = ".".join(str(part) for part in first["loc"])
                problem = f"{place + ': ' if place else ''}{first['msg']}"
            talk = (*talk, Message("assistant", one.text), Message("user", AGAIN.replace("{problem}", problem)))
        name = self.signature.__name__
        raise UserError(
            f"{name} was not answered as its signature says: {problem}", "ask another model, or ask for less"
        )

    def _kind(self) -> tuple[Any, dict[str, Any]]:
        from pydantic import TypeAdapter

        hints = get_type_hints(self.signature)
        if "return" not in hints:
            raise UserError(f"{self.signature.__name__} does not say what it returns", "annotate it: -> str")
        adapter: Any = TypeAdapter(hints["return"])
        return adapter, adapter.json_schema()

    def _asked(self, given: Sequence[Any], named: dict[str, Any], schema: dict[str, Any]) -> str:
        """The docstring, the arguments as JSON, and what the answer has to be."""
        from pydantic_core import to_json

        bound = inspect.signature(self.signature).bind(*given, **named)
        bound.apply_defaults()
        lines = [inspect.getdoc(self.signature) or self.signature.__name__.replace("_", " "), ""]
        lines += [f"{name}: {to_json(value).decode()}" for name, value in bound.arguments.items()]
        return "\n".join((*lines, "", f"Answer with JSON of this schema alone: {json.dumps(schema)}"))


def prompt_function(lm: LM, tries: int = 2, max_tokens: int = 512) -> Callable[[Callable[P, R]], PromptFunction[P, R]]:
    """Decorate a function whose body is `...` so that `lm` answers it.

    Its arguments are values and never parts of the instructions: they are written as JSON. Raises UserError where
    `tries` is below 1.
    """
    if tries < 1:
        raise UserError("a function that is never asked has no answer", "ask once at least")
    return lambda signature: PromptFunction(signature, lm, tries, max_tokens)
