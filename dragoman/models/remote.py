"""The LM door of an engine that speaks OpenAI's protocol: vLLM, llama.cpp, Ollama, TGI, or OpenAI itself."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError, empty_prompt
from dragoman.core.sampling import Completion, Sampling, Token, schema_of
from dragoman.models.wire import Cancelled, Refused, Wire, is_loopback

__all__ = ["RemoteLM", "parse_remote"]

_NO_ADDRESS = "what follows openai: is not the address of an engine"
_SPELL = "write it as openai:http://host:port/v1#model"
_LOCAL = "take a model that runs here: a folder, or hf:owner/name"
# What OpenAI's own protocol lacks and vLLM, llama.cpp and others take: sent only where it is not the default.
_EXTRAS = ("top_k", "min_p", "typical_p", "repetition_penalty", "min_tokens")
_PLAIN = Sampling()


def parse_remote(spec: str) -> tuple[str, str]:
    """The address and the model of `openai:http://host:port/v1#model`; a bare host means its `/v1`.

    Raises UserError where one is missing, or where the address holds a password, which would end up in records. What
    was written is not repeated in a message: it may hold a key.
    """
    address, _, model = spec.removeprefix("openai:").partition("#")
    try:
        found = urlsplit(address)
        port = found.port
    except ValueError:
        raise UserError(_NO_ADDRESS, _SPELL) from None
    if found.username or found.password:
        raise UserError("the address of an engine must not hold a password", "put the key into OPENAI_API_KEY")
    good = found.scheme in ("http", "https") and found.hostname and not found.query and port != 0
    if not good or re.search(r"[\s\\\x00-\x1f]", address):
        raise UserError(_NO_ADDRESS, _SPELL)
    if not model:
        raise UserError("the address of the engine names no model", _SPELL)
    return address.rstrip("/") + ("" if found.path.strip("/") else "/v1"), model


class RemoteLM:
    """A language model behind an address. Nothing is connected before the first question.

    With `raw` a prompt is a text to go on from (its messages' contents), otherwise a chat that the engine renders. The
    key is read from the environment variable `key_name` and stands in no message, record or repr. `time_out` bounds one
    try in seconds, `total` a whole request with its `retries`; up to `concurrency` requests are under way at once.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        raw: bool = False,
        key_name: str = "OPENAI_API_KEY",
        time_out: float = 120.0,
        total: float = 600.0,
        retries: int = 4,
        concurrency: int = 8,
        first_wait: float = 0.5,
        allow_plain: bool = False,
    ) -> None:
        """Raises UserError where a key would travel over plain http to another machine, unless `allow_plain`."""
        key = os.environ.get(key_name, "").strip()
        found = urlsplit(url)
        host = found.hostname or ""
        if key and found.scheme == "http" and not is_loopback(host) and not allow_plain:
            raise UserError(
                f"{key_name} is set, and {found.scheme}://{host} would carry it unencrypted",
                f"give an https:// address, or unset {key_name} where this engine needs no key",
            )
        if re.search(r"[^\x21-\x7e]", key):
            raise UserError(f"{key_name} holds a character that no key has", f"set {key_name} again")
        self.url, self.model, self.raw, self.chat = url, model, raw, not raw
        self.note, self.longest = "", 0
        # OpenAI's own newer models refuse the name that every other engine knows.
        self._most = "max_completion_tokens" if host.endswith("openai.com") and not raw else "max_tokens"
        self._key_name = key_name
        self._concurrency = max(1, concurrency)
        self._wire = Wire(
            url,
            key,
            time_out=time_out,
            total=total,
            retries=retries,
            connections=self._concurrency,
            first_wait=first_wait,
        )

    def __repr__(self) -> str:
        return f"RemoteLM({self.url!r}, {self.model!r})"

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """`how.n` completions for each prompt, in the order given, several prompts at once.

        Raises UserError where the engine refuses a parameter (it is named), the model or the key, does not answer in
        time, or does not keep to the shape that was asked for.
        """
        bodies = [self._body(prompt, how) for prompt in prompts]
        answers = self._all(self._path, bodies)
        return [one for answer in answers for one in self._completions(answer, how)]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """One completion as it comes, in whole characters. Raises as `generate`, and where the connection is cut.

        Whether the engine kept to the shape is known, and said, when all of it has come.
        """
        if how.n > 1:
            raise UserError(f"{how.n} answers cannot be streamed at once", "say n=1")
        body = self._body(prompt, how) | {"stream": True}
        written, finish, held = "", "", ""
        try:
            with closing(self._wire.events(self._path, body)) as events:
                for event in events:
                    finish = finish or ("stop" if "done" in event else "")
                    choices = _dicts(event.get("choices"))
                    choice = choices[0] if choices else {}
                    text, held = _whole(held + self._said(choice, "delta"))
                    written += text
                    finish = finish or str(choice.get("finish_reason") or "")
                    if text:
                        yield text
        except Refused as refused:
            raise self._mistake(refused, body) from None
        if held:
            yield "\ufffd"
        if not finish:
            said = f"{self.url} cut the connection after {len(written)} characters of its answer"
            raise UserError(said, "ask it again")
        self._hold(written, finish, how)

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each option after each prompt, of shape [prompts, options], in nats.

        The engine reads the prompt's text with the option right behind it, so an option of a new word begins with a
        space. A token belongs to the option when it ends in it. Needs an engine whose /completions knows `echo` (vLLM
        does, chat-only engines do not): raises UserError otherwise.
        """
        texts = [_text(prompt) for prompt in prompts]
        if not all(texts) or not all(options):
            raise UserError("an empty prompt or option has no probability", "give a text")
        pairs = [(text, option) for text in texts for option in options]
        bodies = [self._echo(text + option) for text, option in pairs]
        answers = self._all("/completions", bodies) if bodies else []
        sums = [self._sum(answer, *pair, per) for answer, pair in zip(answers, pairs, strict=True)]
        return np.array(sums, dtype=np.float64).reshape(len(prompts), len(options))

    def ids(self, prompt: Prompt) -> list[int]:
        """Only the engine knows them: []."""
        return []

    def check(self, prompt: Prompt) -> None:
        """Raise UserError where the prompt is empty; how much the engine reads it says when it is asked."""
        if not _text(prompt):
            raise empty_prompt()

    def cancel(self) -> None:
        """Close the connections of all requests under way; they end with an error in the threads that wait."""
        self._wire.cancel()

    @property
    def _path(self) -> str:
        return "/completions" if self.raw else "/chat/completions"

    def _all(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The answers in the order of the requests; the first that fails gives up the others."""
        with ThreadPoolExecutor(min(self._concurrency, max(1, len(bodies)))) as pool:
            asked = [pool.submit(self._wire.post, path, body) for body in bodies]
            try:
                wait(asked, return_when=FIRST_EXCEPTION)  # in time, not in the order of the requests
                failed = [error for one in asked if one.done() and (error := one.exception())]
                if not failed:
                    return [one.result() for one in asked]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                while running := [one for one in asked if not one.done()]:
                    self._wire.cancel()  # again for one that was just about to begin
                    wait(running, timeout=0.1)
        error = next((one for one in failed if not isinstance(one, Cancelled)), failed[0])
        if isinstance(error, Refused):
            raise self._mistake(error, bodies[0]) from None
        raise error

    def _body(self, prompt: Prompt, how: Sampling) -> dict[str, Any]:
        if how.beams > 1 or how.penalise_prompt:
            lacking = "beam search" if how.beams > 1 else "penalise_prompt"
            raise UserError(f"an engine behind an address offers no {lacking}", "say beams=1 and penalise_prompt=false")
        body: dict[str, Any] = {"model": self.model, self._most: how.max_tokens, "temperature": how.temperature}
        if self.raw:
            body["prompt"] = _text(prompt)
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

    def _completions(self, answer: Mapping[str, Any], how: Sampling) -> list[Completion]:
        choices, usage = _dicts(answer.get("choices")), _dicts([answer.get("usage")])
        if len(choices) != how.n:
            raise UserError(f"{self.url} gave {len(choices)} answers where {how.n} were asked for", _LOCAL)
        spent = {name: value for one in usage for name, value in one.items() if isinstance(value, int)}
        found = []
        for choice in sorted(choices, key=lambda one: str(one.get("index", 0)).zfill(4)):
            text = _whole(self._said(choice, "message"))[0]
            told = _tokens(choice.get("logprobs")) if how.logprobs else ()
            count = spent.get("completion_tokens", 0) if how.n == 1 else len(told)  # what is spent is the sum of them
            finish = str(choice.get("finish_reason") or "stop")
            self._hold(text, finish, how)
            if how.logprobs and text and not told:
                raise UserError(f"{self.url} took logprobs and told none", f"leave logprobs out, or {_LOCAL}")
            found.append(Completion(text, count, finish, spent.get("prompt_tokens", 0), told))
        return found

    def _said(self, choice: Mapping[str, Any], under: str) -> str:
        """The text of a choice, or of a piece of one."""
        inside = choice if self.raw else choice.get(under)
        text = inside.get("text" if self.raw else "content") if isinstance(inside, dict) else None
        return text if isinstance(text, str) else ""

    def _hold(self, text: str, finish: str, how: Sampling) -> None:
        """Some engines leave out what they do not know and say nothing: an answer of another shape is an error."""
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
            raise UserError(f"{self.url} took {name} and did not keep to it: {text[:80]!r}", _LOCAL)

    def _echo(self, text: str) -> dict[str, Any]:
        body = {"model": self.model, "prompt": text, "echo": True, "logprobs": 1}
        return body | {"max_tokens": 1, "temperature": 0}  # some engines refuse 0; the token written is left out

    def _sum(self, answer: Mapping[str, Any], prompt: str, option: str, per: Per) -> float:
        whole = prompt + option
        try:
            told = answer["choices"][0]["logprobs"]
            tokens, values, starts = told["tokens"], told["token_logprobs"], told["text_offset"]
            shift = max(0, "".join(tokens).find(whole))  # the name of a first special token may stand in front
            ends = [start + len(token) - shift for start, token in zip(starts, tokens, strict=True)]
            ends[:-1] = [start - shift for start in starts[1:]]
            kept = [
                float(value)
                for value, start, end in zip(values, starts, ends, strict=True)
                if end > len(prompt) and start - shift < len(whole)
            ]
        except (KeyError, IndexError, TypeError, ValueError):
            kept = []
        if not kept:
            said = f"{self.url} does not tell the log-probability of a given text (completions with echo)"
            raise UserError(said, f"{_LOCAL}, or an engine such as vLLM")
        divisor = {"sum": 1, "token": len(kept), "byte": len(option.encode("utf-8"))}[per]
        return sum(kept) / divisor

    def _mistake(self, refused: Refused, body: Mapping[str, Any]) -> UserError:
        """What an engine refused, as one message that names it."""
        if refused.status in (401, 403):
            return UserError(f"{self.url} refuses the key ({refused.status})", f"set {self._key_name} to a good key")
        if "echo" in body and refused.status in (400, 404, 405, 422, 501):
            said = f"{self.url} cannot tell the log-probability of a text: {refused.said}"
            return UserError(said, f"{_LOCAL}, or an engine such as vLLM whose completions know echo")
        if refused.status == 404:
            return UserError(f"{self.url} knows no model '{self.model}' or no such path: {refused.said}", _SPELL)
        named = [name for name in body if re.search(rf"\b{name}\b", refused.said)]
        field = refused.field or (named[0] if named else "")
        what = f"refuses {field}" if field else f"refuses the request ({refused.status})"
        hint = f"leave {field} out, or {_LOCAL}" if field in body else _LOCAL
        return UserError(f"{self.url} {what}: {refused.said}", hint)


def _shape(how: Sampling) -> dict[str, Any]:
    """The fields that ask for an answer of a given shape: OpenAI's for JSON, vLLM's for what OpenAI has no word for."""
    if how.json_schema:
        inner = {"name": "answer", "schema": schema_of(how.json_schema), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": inner}}
    if how.regex:
        return {"structured_outputs": {"regex": how.regex}}
    return {"structured_outputs": {"choice": list(how.choices)}} if how.choices else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing else is what an answer is made of."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _tokens(told: Any) -> tuple[Token, ...]:
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


def _whole(text: str) -> tuple[str, str]:
    """A text of whole characters, and the half of one at its end: JSON can cut a character into two surrogates."""
    held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    body = text.removesuffix(held) if held else text
    return body.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), held


def _text(prompt: Prompt) -> str:
    return "\n".join(message.content for message in prompt)
