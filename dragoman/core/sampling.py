"""How a language model draws its next token, and what it wrote: one value for every backend, its ranges held here."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dragoman.core.errors import UserError

__all__ = ["Completion", "Sampling", "Token", "schema_of"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a language model draws its next token; the defaults are greedy.

    Order: bias, penalties and min_tokens on the raw logits, constraint, temperature, top_k, top_p, min_p, typical_p.
    Raises UserError where a value is out of range.
    """

    temperature: float = 0.0
    "0 takes the most probable token; 1 draws from the model's own probabilities, more flattens them."
    top_k: int = 0
    "Draw among so many of the most probable tokens; 0 is all."
    top_p: float = 1.0
    "Draw among the smallest set of tokens that has this probability (Holtzman et al. 2019)."
    min_p: float = 0.0
    "Drop tokens less probable than this share of the most probable one (Nguyen et al. 2024)."
    typical_p: float = 1.0
    "Draw among the tokens whose surprise is nearest to the expected one (Meister et al. 2022)."
    max_tokens: int = 256
    "The most tokens that are written."
    min_tokens: int = 0
    "No end before so many tokens."
    frequency_penalty: float = 0.0
    "Taken off a token's logit each time it was written, -2 to 2 (OpenAI's definition)."
    presence_penalty: float = 0.0
    "Taken off a token's logit once it was written, -2 to 2 (OpenAI's definition)."
    repetition_penalty: float = 1.0
    "Divides the positive logits of tokens seen, multiplies the negative ones (Keskar et al. 2019)."
    penalise_prompt: bool = False
    "Whether the penalties count the tokens of the prompt too."
    stop: tuple[str, ...] = ()
    "Texts that end the answer; they are not part of it."
    seed: int = 0
    "The same seed gives the same answer, whatever else is in the batch."
    n: int = 1
    "Answers for each prompt."
    logprobs: int = 0
    "Tell the log-probability of each token and of so many of the most probable ones; 0 tells none."
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    "Added to the logits of single tokens by id, -100 to 100."
    beams: int = 1
    "Beam search over so many beams; 1 is none."
    length_penalty: float = 1.0
    "A beam's score is divided by its length to this power; above 1 favours long answers."
    json_schema: str = ""
    "A JSON schema that the answer obeys, as text."
    regex: str = ""
    "A regular expression that the whole answer matches."
    choices: tuple[str, ...] = ()
    "The answer is one of these texts."

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            given = getattr(self, name)
            if not low <= given <= high:  # also what is not a number
                wide = f"from {low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
                raise UserError(f"{name} cannot be {given:g}", f"it is {wide}: say {name}=...")
        if 0 < self.temperature < _COLDEST:
            said = f"it is 0, which takes the most probable token, or at least {_COLDEST:g}: say temperature=0"
            raise UserError(f"temperature cannot be {self.temperature:g}", said)
        if self.top_p <= 0 or self.typical_p <= 0:
            name = "top_p" if self.top_p <= 0 else "typical_p"
            raise UserError(f"{name} cannot be 0", f"it is above 0, and 1 switches it off: say {name}=1")
        if self.min_tokens > self.max_tokens:
            said = f"min_tokens {self.min_tokens} is more than max_tokens {self.max_tokens}"
            raise UserError(said, f"say max_tokens={self.min_tokens} or less min_tokens")
        if any(not -100 <= bias <= 100 for bias in self.logit_bias.values()) or any(i < 0 for i in self.logit_bias):
            raise UserError("logit_bias is from -100 to 100 for each token id", 'say logit_bias={"50256"=-100}')
        if "" in self.stop or "" in self.choices:
            raise UserError("an empty text can neither stop an answer nor be one", 'say stop=["\\n"]')
        for name in ("stop", "choices", "regex", "json_schema"):
            if any("\ud800" <= letter <= "\udfff" for text in getattr(self, name) for letter in text):
                said = f"{name} holds half a character (a lone surrogate), which no answer can hold"
                raise UserError(said, f"write {name} as UTF-8 again: say {name}=...")
        self._check_combinations()

    def _check_combinations(self) -> None:
        shapes = [name for name in ("json_schema", "regex", "choices") if getattr(self, name)]
        if len(shapes) > 1:
            raise UserError(f"{' and '.join(shapes)} cannot both hold", f"keep one of them, for example {shapes[0]}")
        if self.beams > 1:
            drawn = [name for name in ("temperature", "logprobs", *shapes) if getattr(self, name)]
            if drawn:
                raise UserError(f"beam search does not go with {drawn[0]}", f"say beams=1, or leave {drawn[0]} out")
            if self.n > self.beams:
                raise UserError(f"{self.beams} beams cannot give {self.n} answers", f"say beams={self.n}")
        elif self.n > 1 and self.temperature == 0:
            raise UserError(f"{self.n} greedy answers are the same answer", "say temperature=1 or n=1")


_COLDEST = 0.01  # colder, the most probable token has all there is, and the logits of a next one leave float32

_RANGES = (
    ("temperature", 0, 100),
    ("top_k", 0, math.inf),
    ("top_p", 0, 1),
    ("min_p", 0, 1),
    ("typical_p", 0, 1),
    ("max_tokens", 1, math.inf),
    ("min_tokens", 0, math.inf),
    ("frequency_penalty", -2, 2),
    ("presence_penalty", -2, 2),
    ("repetition_penalty", 0.01, 100),
    ("n", 1, 128),
    ("logprobs", 0, 20),
    ("beams", 1, 64),
    ("length_penalty", -10, 10),
    ("seed", 0, 2**63 - 1),
)


def schema_of(text: str) -> dict[str, Any]:
    """The JSON schema that a text holds. Raises UserError where it is no JSON, nested too deeply, or no object."""
    mend = """say json_schema='{"type": "object"}'"""
    try:
        schema = json.loads(text)
        # Who passes it on writes it again, which refuses nan and half characters, and goes less deep than reading.
        json.dumps(schema, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise UserError("json_schema is nested too deeply to be read", mend) from None
    except ValueError as error:
        raise UserError(f"json_schema is no JSON: {error}", mend) from None
    if not isinstance(schema, dict):
        raise UserError("json_schema is not an object", mend)
    return schema


@dataclass(frozen=True, slots=True)
class Token:
    """One written token: its text, its log-probability before any penalty or temperature, and the most probable ones.

    A token may hold part of a character: `text` then has the replacement character, and `id` tells it.
    """

    text: str
    id: int
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model wrote for one prompt, how many tokens that took and why it stopped (`stop` or `length`)."""

    text: str
    tokens: int = 0
    finish: str = "stop"
    prompt_tokens: int = 0
    logprobs: tuple[Token, ...] = ()
