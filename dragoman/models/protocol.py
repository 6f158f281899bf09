"""OpenAI's protocol between our values and its JSON: what a model behind an address is asked, and what it answers."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dragoman.core.doors import Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling, Token, schema_of
from dragoman.models.wire import Refused

__all__ = ["LOCAL", "SPELL", "Speech", "objects", "text_of", "tokens_of", "whole"]

SPELL = "write it as openai:http://host:port/v1#model"
LOCAL = "take a model that runs here: a folder, or hf:owner/name"
# What OpenAI's own protocol lacks and vLLM, llama.cpp and others take: sent only where it is not the default.
_EXTRAS = ("top_k", "min_p", "typical_p", "repetition_penalty", "min_tokens")
_PLAIN = Sampling()


@dataclass(frozen=True, slots=True)
class Speech:
    """How one model behind an address is spoken to.

    With `raw` a prompt is a text to go on from (its messages' contents), otherwise a chat that the engine renders.
    """

    url: str
    model: str
    raw: bool
    key_name: str
    "the environment variable of the key, for messages: the key itself is never in here"

    @property
    def path(self) -> str:
        """Where a prompt is sent."""
        return "/completions" if self.raw else "/chat/completions"

    def body(self, prompt: Prompt, how: Sampling) -> dict[str, Any]:
        """What is sent. Raises UserError where an engine has no word for what is asked."""
        if how.beams > 1 or how.penalise_prompt:
            lacking = "beam search" if how.beams > 1 else "penalise_prompt"
            raise UserError(f"an engine behind an address offers no {lacking}", "say beams=1 and penalise_prompt=false")
        body: dict[str, Any] = {"model": self.model, self._most: how.max_tokens, "temperature": how.temperature}
        if self.raw:
            body["prompt"] = text_of(prompt)
        else:
            body["messages"] = [{"role": message.role, "content": message.content} for message in prompt]
            if prompt and prompt[-1].role == "assistant":  # it is to be gone on with, as vLLM spells it
                body |= {"continue_final_message": True, "add_generation_prompt": False}
        if how.temperature:
            body["seed"] = how.seed
        for name in ("top_p", "n", "frequency_penalty", "presence_penalty", *_EXTRAS):
            if getattr(how, name) != getattr(_PLAIN, name):
                body[name] = getattr(how, name)
        if how.stop:
            body["stop"] = list(how.stop)
        if how.logit_bias:
            body["logit_bias"] = {str(number): bias for number, bias in how.logit_bias.items()}
        if how.logprobs:
            body |= {"logprobs": how.logprobs} if self.raw else {"logprobs": True, "top_logprobs": how.logprobs}
        return body | _shape(how)

    def said(self, choice: Mapping[str, Any], under: str) -> str:
        """The text of a choice, or of a piece of one: of a chat's what stands `under` message or delta."""
        inside = choice if self.raw else choice.get(under)
        text = inside.get("text" if self.raw else "content") if isinstance(inside, dict) else None
        return text if isinstance(text, str) else ""

    def hold(self, text: str, finish: str, how: Sampling) -> None:
        """Some engines leave out what they do not know and say nothing: an answer of another shape is a UserError."""
        wrong = bool(how.choices) and text.strip() not in how.choices
        if how.regex and finish == "stop":
            with suppress(re.error):  # another dialect: not ours to judge
                wrong = not re.fullmatch(how.regex, text)
        if how.json_schema and finish == "stop":
            try:
                json.loads(text)
            except ValueError:
                wrong = True
        if wrong:
            name = "choices" if how.choices else "regex" if how.regex else "json_schema"
            raise UserError(f"{self.url} took {name} and did not keep to it: {text[:80]!r}", LOCAL)

    def mistake(self, refused: Refused, body: Mapping[str, Any]) -> UserError:
        """What an engine refused, as one message that names it."""
        if refused.status in (401, 403):
            return UserError(f"{self.url} refuses the key ({refused.status})", f"set {self.key_name} to a good key")
        if "echo" in body and refused.status in (400, 404, 405, 422, 501):
            said = f"{self.url} cannot tell the log-probability of a text: {refused.said}"
            return UserError(said, f"{LOCAL}, or an engine such as vLLM whose completions know echo")
        if refused.status == 404:
            return UserError(f"{self.url} knows no model '{self.model}' or no such path: {refused.said}", SPELL)
        named = [name for name in body if re.search(rf"\b{name}\b", refused.said)]
        field = refused.field or (named[0] if named else "")
        what = f"refuses {field}" if field else f"refuses the request ({refused.status})"
        hint = f"leave {field} out, or {LOCAL}" if field in body else LOCAL
        return UserError(f"{self.url} {what}: {refused.said}", hint)

    @property
    def _most(self) -> str:
        """OpenAI's own newer models refuse the name that every other engine knows."""
        theirs = (urlsplit(self.url).hostname or "").endswith("openai.com")
        return "max_completion_tokens" if theirs and not self.raw else "max_tokens"


def _shape(how: Sampling) -> dict[str, Any]:
    """The fields that ask for an answer of a given shape: OpenAI's for JSON, vLLM's for what OpenAI has no word for."""
    if how.json_schema:
        inner = {"name": "answer", "schema": schema_of(how.json_schema), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": inner}}
    if how.regex:
        return {"structured_outputs": {"regex": how.regex}}
    return {"structured_outputs": {"choice": list(how.choices)}} if how.choices else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing else is what an answer is made of."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def tokens_of(told: Any) -> tuple[Token, ...]:
    """The tokens of an answer with their log-probabilities; engines that give no id are told as -1.

    Empty where the engine tells none, or tells them in a way that is not known.
    """
    told = told if isinstance(told, dict) else {}
    try:
        if isinstance(told.get("content"), list):
            return tuple(
                Token(
                    str(one.get("token", "")),
                    int(one.get("id", -1)),
                    float(one["logprob"]),
                    tuple((str(top["token"]), float(top["logprob"])) for top in one.get("top_logprobs") or ()),
                )
                for one in told["content"]
            )
        tokens, values = told.get("tokens") or (), told.get("token_logprobs") or ()
        tops = told.get("top_logprobs") or [{}] * len(tokens)
        return tuple(
            Token(str(token), -1, float(value), tuple((str(name), float(one)) for name, one in (top or {}).items()))
            for token, value, top in zip(tokens, values, tops, strict=True)
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()


def whole(text: str) -> tuple[str, str]:
    """A text of whole characters, and the half of one at its end: JSON can cut a character into two surrogates."""
    held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    body = text.removesuffix(held) if held else text
    return body.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), held


def text_of(prompt: Prompt) -> str:
    """A prompt as one text to go on from."""
    return "\n".join(message.content for message in prompt)
