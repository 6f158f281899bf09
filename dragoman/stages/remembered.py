"""A language model whose every answer is on the disk before the next is asked for: the same questions cost once.

Covered: a kill at any instant, which costs the answers under way, 64 at most, and a line that a power cut tore. An
answer is found again by who was asked, how, and what.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.core import durable
from dragoman.core.doors import Per, Prompt, WritingLM
from dragoman.core.sampling import Completion, Sampling

__all__ = ["RememberedLM"]

AT_ONCE = 64  # questions between two writes to the disk


class RememberedLM:
    """The door of `lm`, with what it answered kept in `file` under its `name`; several may share a file.

    Log-probabilities of single tokens are not kept.
    """

    def __init__(self, lm: WritingLM, name: str, file: Path) -> None:
        self.note, self.chat, self.longest = lm.note, lm.chat, lm.longest
        self.asked = 0
        "questions that were asked in this process, those found again not counted"
        self._lm, self._name, self._file = lm, name, file
        self._kept = _kept(file)

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """`how.n` completions for each prompt; equal prompts are asked once. Raises UserError as the model does."""
        keys = [self._key("generate", prompt, repr(how)) for prompt in prompts]
        for part in self._missing(keys):
            made = self._lm.generate([prompts[row] for row in part], how)
            for place, row in enumerate(part):
                several = made[place * how.n : (place + 1) * how.n]
                self._keep(keys[row], [[one.text, one.tokens, one.finish, one.prompt_tokens] for one in several])
        return [Completion(*one) for key in keys for one in self._kept[key]]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """One completion piece by piece, which is not kept."""
        return self._lm.stream(prompt, how)

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each option after each prompt, of shape [prompts, options], in nats."""
        keys = [self._key("score", prompt, json.dumps([*options, per])) for prompt in prompts]
        for part in self._missing(keys):
            made = self._lm.score([prompts[row] for row in part], options, per)
            for place, row in enumerate(part):
                self._keep(keys[row], [float(value) for value in made[place]])
        return np.array([self._kept[key] for key in keys], dtype=np.float64).reshape(len(keys), len(options))

    def ids(self, prompt: Prompt) -> list[int]:
        """What the model reads of a prompt."""
        return self._lm.ids(prompt)

    def check(self, prompt: Prompt) -> None:
        """Raise UserError where the model cannot answer the prompt."""
        self._lm.check(prompt)

    def _missing(self, keys: Sequence[str]) -> Iterator[list[int]]:
        """The rows that were never answered, each question once, a batch at a time."""
        first = {key: row for row, key in reversed(list(enumerate(keys))) if key not in self._kept}
        rows = sorted(first.values())
        for start in range(0, len(rows), AT_ONCE):
            self.asked += len(rows[start : start + AT_ONCE])
            yield rows[start : start + AT_ONCE]

    def _key(self, kind: str, prompt: Prompt, how: str) -> str:
        said = json.dumps([self._name, kind, how, [[one.role, one.content] for one in prompt]])
        return hashlib.sha256(said.encode()).hexdigest()

    def _keep(self, key: str, answer: list[Any]) -> None:
        self._kept[key] = answer
        durable.append(self._file, json.dumps({"key": key, "answer": answer}, ensure_ascii=False))


def _kept(file: Path) -> dict[str, list[Any]]:
    """The answers that are on the disk; a line that a power cut tore counts as none."""
    found: dict[str, list[Any]] = {}
    for line in file.read_bytes().splitlines() if file.is_file() else []:
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, Mapping) and isinstance(one.get("key"), str) and isinstance(one.get("answer"), list):
            found[one["key"]] = one["answer"]
    return found
