"""The LM door of an engine that speaks OpenAI's protocol: vLLM, llama.cpp, Ollama, TGI, or OpenAI itself."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError, empty_prompt
from dragoman.core.sampling import Completion, Sampling
from dragoman.models.protocol import LOCAL, SPELL, Speech, objects, text_of, tokens_of, whole
from dragoman.models.wire import Cancelled, Refused, Wire, is_loopback

__all__ = ["RemoteLM", "parse_remote"]

_NO_ADDRESS = "what follows openai: is not the address of an engine"


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
        raise UserError(_NO_ADDRESS, SPELL) from None
    if found.username or found.password:
        raise UserError("the address of an engine must not hold a password", "put the key into OPENAI_API_KEY")
    good = found.scheme in ("http", "https") and found.hostname and not found.query and port != 0
    if not good or re.search(r"[\s\\\x00-\x1f]", address):
        raise UserError(_NO_ADDRESS, SPELL)
    if not model:
        raise UserError("the address of the engine names no model", SPELL)
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
        self.speech = Speech(url, model, raw, key_name)
        "how the model is spoken to"
        self._concurrency = max(1, concurrency)
        self.wire = Wire(
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
        bodies = [self.speech.body(prompt, how) for prompt in prompts]
        answers = self._all(self.speech.path, bodies)
        return [one for answer in answers for one in self._completions(answer, how)]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """One completion as it comes, in whole characters. Raises as `generate`, and where the connection is cut.

        Whether the engine kept to the shape is known, and said, when all of it has come.
        """
        if how.n > 1:
            raise UserError(f"{how.n} answers cannot be streamed at once", "say n=1")
        body = self.speech.body(prompt, how) | {"stream": True}
        written, finish, held = "", "", ""
        try:
            with closing(self.wire.events(self.speech.path, body)) as events:
                for event in events:
                    finish = finish or ("stop" if "done" in event else "")
                    choices = objects(event.get("choices"))
                    choice = choices[0] if choices else {}
                    text, held = whole(held + self.speech.said(choice, "delta"))
                    written += text
                    finish = finish or str(choice.get("finish_reason") or "")
                    if text:
                        yield text
        except Refused as refused:
            raise self.speech.mistake(refused, body) from None
        if held:
            yield "\ufffd"
        if not finish:
            said = f"{self.url} cut the connection after {len(written)} characters of its answer"
            raise UserError(said, "ask it again")
        self.speech.hold(written, finish, how)

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each option after each prompt, of shape [prompts, options], in nats.

        The engine reads the prompt's text with the option right behind it, so an option of a new word begins with a
        space. A token belongs to the option when it ends in it. Needs an engine whose /completions knows `echo` (vLLM
        does, chat-only engines do not): raises UserError otherwise.
        """
        texts = [text_of(prompt) for prompt in prompts]
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
        if not text_of(prompt):
            raise empty_prompt()

    def cancel(self) -> None:
        """Close the connections of all requests under way; they end with an error in the threads that wait."""
        self.wire.cancel()

    def _all(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The answers in the order of the requests; the first that fails gives up the others."""
        with ThreadPoolExecutor(min(self._concurrency, max(1, len(bodies)))) as pool:
            asked = [pool.submit(self.wire.post, path, body) for body in bodies]
            try:
                wait(asked, return_when=FIRST_EXCEPTION)  # in time, not in the order of the requests
                failed = [error for one in asked if one.done() and (error := one.exception())]
                if not failed:
                    return [one.result() for one in asked]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                while running := [one for one in asked if not one.done()]:
                    self.wire.cancel()  # again for one that was just about to begin
                    wait(running, timeout=0.1)
        error = next((one for one in failed if not isinstance(one, Cancelled)), failed[0])
        if isinstance(error, Refused):
            raise self.speech.mistake(error, bodies[0]) from None
        raise error

    def _completions(self, answer: Mapping[str, Any], how: Sampling) -> list[Completion]:
        choices, usage = objects(answer.get("choices")), objects([answer.get("usage")])
        if len(choices) != how.n:
            raise UserError(f"{self.url} gave {len(choices)} answers where {how.n} were asked for", LOCAL)
        spent = {name: value for one in usage for name, value in one.items() if isinstance(value, int)}
        found = []
        for choice in sorted(choices, key=lambda one: str(one.get("index", 0)).zfill(4)):
            text = whole(self.speech.said(choice, "message"))[0]
            told = tokens_of(choice.get("logprobs")) if how.logprobs else ()
            count = spent.get("completion_tokens", 0) if how.n == 1 else len(told)  # what is spent is the sum of them
            finish = str(choice.get("finish_reason") or "stop")
            self.speech.hold(text, finish, how)
            if how.logprobs and text and not told:
                raise UserError(f"{self.url} took logprobs and told none", f"leave logprobs out, or {LOCAL}")
            found.append(Completion(text, count, finish, spent.get("prompt_tokens", 0), told))
        return found

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
            raise UserError(said, f"{LOCAL}, or an engine such as vLLM")
        divisor = {"sum": 1, "token": len(kept), "byte": len(option.encode("utf-8"))}[per]
        return sum(kept) / divisor
