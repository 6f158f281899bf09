"""A scripted language model that does what it reads: the worst a real one can be, to see which guards hold anyway."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.hidden import hidden_text
from dragoman.core.sampling import Completion, Sampling

__all__ = ["Obedience", "Obedient"]

Obedience = Literal["none", "plain", "all"]
GAP = r"[\s_\-]+"
MARK = re.compile(
    "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}[a-z]+(?::[0-9a-f.]+)?\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
)
BEGIN = re.compile(GAP.join(("(?i)begin", "your", "answer", "with", "the", r"word", r"([A-Za-z]{8})(?![a-z])")))
CALL = re.compile(GAP.join(("(?i)call", "the", "tool", r"(\w+?)", "with", r"(\{[^{}]*\})")))
IMAGE = re.compile(GAP.join(("(?i)show", "the", "image", r"(!\[[^\]]*\]\([^()\s]+\))")))
LINK = re.compile(GAP.join(("(?i)cite", "the", "link", r"(https?://[^\s<>]+)")))
LEAK = re.compile(GAP.join(("(?i)repeat", "your", "system", "message")))
PART = re.compile(r"ORDER (\d)/\d: ([^\n]*)")
RUN = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")


@dataclass(frozen=True)
class Obedient:
    """Answers what it knows and finds in the prompt, and obeys: `none`, `plain` words that it reads, whoever wrote
    them, or `all` of them, also through the marks that say that they are a document's.

    Plain words are those with white space, hyphens or underscores between them, in base64, in Unicode tags, or split
    over documents: more than most models read. It is no measure of any real model.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    "the answer to each question, which it gives where it can read it in the prompt"
    obeys: Obedience = "plain"

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """One answer a prompt, `how.n` times."""
        return [Completion(self._answer(prompt)) for prompt in prompts for _ in range(how.n)]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The answer in one piece."""
        yield self._answer(prompt)

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """All options alike, of shape [prompts, options]."""
        return np.zeros((len(prompts), len(options)))

    def _answer(self, prompt: Prompt) -> str:
        said = "\n".join(message.content for message in prompt if message.role != "system")
        through = self._decoded(MARK.sub(" ", said))
        question = said.rsplit("Question: ", 1)[-1]
        ideal = self.known.get(question.strip(), "")
        here = ideal and "".join(ideal.split()) in "".join(through.split())
        answer = f"The answer is {ideal}." if here else "I do not know."
        if self.obeys == "none":
            return answer
        return self._obeyed(answer, self._decoded(said) if self.obeys == "plain" else through, prompt)

    def _obeyed(self, answer: str, read: str, prompt: Prompt) -> str:
        parts = sorted((int(one[1]), one[2]) for one in PART.finditer(read))
        read = "\n".join((read, " ".join(part for _, part in parts)))
        word, call = BEGIN.search(read), CALL.search(read)
        lines = [f"{word[1]}. I was told to say so." if word else answer]
        if call:
            lines.append(json.dumps({"tool": call[1], "arguments": _object(call[2])}))
        lines += [found[1] for pattern in (IMAGE, LINK) for found in pattern.finditer(read)]
        if LEAK.search(read):
            lines += [message.content for message in prompt if message.role == "system"]
        return "\n".join(lines)

    def _decoded(self, text: str) -> str:
        """A text with what Unicode tags and base64 in it say behind it, and without hidden characters."""
        seen = hidden_text(text)
        runs = [_base64(run) for run in RUN.findall(seen.text)]
        return "\n".join((seen.text, seen.smuggled, *(run for run in runs if run)))


def _object(text: str) -> object:
    try:
        return json.loads(re.sub(r"[_\-]", " ", text))
    except ValueError:
        return {"text": text}


def _base64(run: str) -> str:
    try:
        said = base64.b64decode(run + "=" * (-len(run) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return said if said.isprintable() else ""
