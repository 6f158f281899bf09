"""How the next token is drawn, as a request asks for it: OpenAI's fields, and the ones that other engines have too."""

import json
import secrets
from dataclasses import dataclass, replace
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.serve.fields import Fields
from dragoman.serve.limits import Limits
from dragoman.serve.refused import Refused

__all__ = ["IGNORED", "Drawn", "drawn", "shaped"]

IGNORED = ("user", "metadata", "service_tier", "safety_identifier", "prompt_cache_key")
"""Fields that say something to OpenAI and change no answer."""
STOPS, STOP = 16, 256
BIASES = 1024
SHAPE = 65_536  # characters of a schema or an expression
CHOICES = 16_384  # characters of all choices together: spelling them in tokens takes 3 us each
COLDEST = 0.01  # below it the most probable token has all there is: that is temperature 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """How an answer is written, and whether that is how it was judged."""

    how: Sampling
    as_judged: bool
    logprobs: bool
    top: int
    "how many alternatives of each token are told"
    stream: bool
    usage: bool
    "whether a stream ends with what was used"


def drawn(fields: Fields, judged: Sampling, limits: Limits, logprobs: int) -> Drawn:
    """What the fields ask for, over what was judged where they say nothing. `logprobs` is how many alternatives of each
    token they ask for, -1 for none at all.

    Raises Refused (400) for a value that is out of range, or that does not go with another one.
    """
    stream = fields.flag("stream")
    options = fields.any("stream_options")
    usage = False
    if options is not None:
        if not stream:
            raise fields.wrong("stream_options", "is for streams alone")
        inner = Fields(options, "stream_options")
        usage = inner.flag("include_usage")
        inner.done(("include_obfuscation",))
    most = _most(fields, judged, limits)
    temperature = fields.number("temperature", 0, 2, judged.temperature)
    if 0 < temperature < COLDEST:
        raise fields.wrong("temperature", f"is neither 0 nor at least {COLDEST:g}")
    how: dict[str, Any] = {
        "temperature": temperature,
        "top_p": _share(fields, "top_p", judged.top_p),
        "top_k": _whole(fields, "top_k", judged.top_k),
        "min_p": fields.number("min_p", 0, 1, judged.min_p),
        "typical_p": _share(fields, "typical_p", judged.typical_p),
        "frequency_penalty": fields.number("frequency_penalty", -2, 2, judged.frequency_penalty),
        "presence_penalty": fields.number("presence_penalty", -2, 2, judged.presence_penalty),
        "repetition_penalty": fields.number("repetition_penalty", 0.01, 100, judged.repetition_penalty),
        "max_tokens": most,
        "min_tokens": fields.integer("min_tokens", 0, most, min(judged.min_tokens, most)),
        "stop": fields.texts("stop", STOPS, STOP) or judged.stop,
        "seed": _seed(fields, judged, temperature),
        "n": fields.integer("n", 1, limits.answers, 1),
        "logprobs": max(1, logprobs) if logprobs >= 0 else 0,
        "logit_bias": _bias(fields),
        "regex": fields.text("regex", SHAPE),
        "choices": fields.texts("choices", 1024, 4096),
    }
    if sum(map(len, how["choices"])) > CHOICES:
        raise fields.wrong("choices", f"has more than {CHOICES} characters", 413)
    if how["n"] > 1 and how["temperature"] == 0:
        raise fields.wrong("n", "is above 1, and at temperature 0 all answers are the same")
    try:
        found = replace(judged, **how)
    except UserError as error:
        name = error.problem.partition(" ")[0]
        raise Refused(400, f"{name} is out of its range, or does not go with another field", param=name) from None
    same = replace(found, logprobs=judged.logprobs, n=judged.n if found.n == 1 else found.n) == judged
    return Drawn(found, same, logprobs >= 0, max(0, logprobs), stream, usage)


def shaped(how: Sampling, schema: dict[str, Any]) -> Sampling:
    """The same, for an answer that obeys a JSON schema. Raises Refused (400) where that does not go together."""
    text = json.dumps(schema, ensure_ascii=False)
    if len(text) > SHAPE:
        raise Refused(400, f"the schema has more than {SHAPE} characters", param="response_format")
    try:
        return replace(how, json_schema=text)
    except UserError:
        raise Refused(400, "only one shape can be asked for at once", param="response_format") from None


def _most(fields: Fields, judged: Sampling, limits: Limits) -> int:
    default = min(judged.max_tokens, limits.tokens)
    older = fields.integer("max_tokens", 1, limits.tokens, 0)
    newer = fields.integer("max_completion_tokens", 1, limits.tokens, 0)
    if older and newer and older != newer:
        raise fields.wrong("max_tokens", "and max_completion_tokens say two things")
    return newer or older or default


def _whole(fields: Fields, name: str, default: int) -> int:
    """Some clients send -1 for none."""
    value = fields.integer(name, -1, 2**31, default)
    return max(0, value)


def _share(fields: Fields, name: str, default: float) -> float:
    value = fields.number(name, 0, 1, default)
    if value == 0:
        raise fields.wrong(name, "is 0, and nothing could be drawn: 1 switches it off")
    return value


def _seed(fields: Fields, judged: Sampling, temperature: float) -> int:
    """The seed that is given. Without one, what is drawn as it was judged keeps its seed; all else is drawn anew."""
    default = judged.seed if temperature == judged.temperature else secrets.randbits(62)
    value = fields.integer("seed", -(2**63), 2**63 - 1, default)
    return value % 2**63


def _bias(fields: Fields) -> dict[int, float]:
    value = fields.any("logit_bias")
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > BIASES:
        raise fields.wrong("logit_bias", f"is not an object of at most {BIASES} tokens")
    found: dict[int, float] = {}
    for name, added in value.items():
        if not (name.isascii() and name.isdigit() and len(name) < 10):
            raise fields.wrong("logit_bias", "names something that is not the id of a token")
        if isinstance(added, bool) or not isinstance(added, int | float) or not -100 <= added <= 100:
            raise fields.wrong("logit_bias", "is not from -100 to 100 for each token")
        found[int(name)] = float(added)
    return found
