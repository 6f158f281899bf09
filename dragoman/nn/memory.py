"""Tokens of large amounts of text: what a word becomes is remembered, for most of a text are words that came before.

Byte-level BPE cuts a text by GPT-2's pattern (Radford et al. 2019), in which a space belongs to what follows it and to
nothing else: between two characters that are no white space, a single space always begins a piece. So a text may be
cut there, each part be encoded by the library once, and the ids be joined: the same ids at a fraction of the time.
"""

import json
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Memory", "separable"]

# Python's white space holds all that Unicode's pattern does, so what is none here is none there.
_BREAK = re.compile(r"(?<=\S) (?=\S)")
_MOST = 1 << 18  # words that are remembered: with their ids some 60 MB
_LONGEST = 64  # characters of a word that is remembered; a longer one hardly comes again
_ROUND = 1 << 20  # characters of texts that are looked up at once


class Memory:
    """A tokenizer that remembers words; the ids are those of `Tokenizer.plain`, whatever the tokenizer."""

    def __init__(self, folder: Path) -> None:
        """Open the tokenizer of a folder. Raises UserError where none is good."""
        self.tokenizer = Tokenizer(folder)
        self._separable = separable(folder)
        self._known: dict[str, tuple[int, ...]] = {}

    def plain(self, texts: Sequence[str]) -> list[NDArray[np.uint32]]:
        """[tokens] the ids of each text alone, without special tokens."""
        if not self._separable:
            return [np.array(ids, np.uint32) for ids in self.tokenizer.plain(texts)]
        found: list[NDArray[np.uint32]] = []
        begin, size = 0, 0
        for place, text in enumerate(texts):
            size += len(text)
            if size >= _ROUND or place + 1 == len(texts):
                found += self._looked_up(texts[begin : place + 1])
                begin, size = place + 1, 0
        return found

    def _looked_up(self, texts: Sequence[str]) -> list[NDArray[np.uint32]]:
        cut = [_BREAK.split(text) for text in texts]
        new = list({word for words in cut for word in words[1:]} - self._known.keys())
        if len(self._known) + len(new) > _MOST:
            self._known.clear()
            new = list({word for words in cut for word in words[1:]})
        ids = self.tokenizer.plain([*(words[0] for words in cut), *(f" {word}" for word in new)])
        firsts, others = ids[: len(cut)], ids[len(cut) :]
        fresh = dict(zip(new, map(tuple, others), strict=True))
        self._known |= fresh
        joined = [
            np.fromiter(chain(first, chain.from_iterable(map(self._known.__getitem__, words[1:]))), np.uint32)
            for first, words in zip(firsts, cut, strict=True)
        ]
        for word in fresh:
            if len(word) > _LONGEST:
                del self._known[word]
        return joined


def separable(folder: Path) -> bool:
    """Whether the tokenizer of a folder is one that a text may be cut for: byte-level BPE by GPT-2's pattern, with no
    normaliser, and no added token that is more than a name for control."""
    if not (folder / "tokenizer.json").is_file():
        return False
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    splitter: dict[str, Any] = content.get("pre_tokenizer") or {}
    steps = splitter.get("pretokenizers") if splitter.get("type") == "Sequence" else [splitter]
    *before, last = steps or [{}]
    return (
        content["model"].get("type") == "BPE"
        and not content["model"].get("dropout")
        and content.get("normalizer") is None
        and last.get("type") == "ByteLevel"
        and last.get("use_regex", True)
        and not last.get("add_prefix_space", True)
        and all(step.get("type") == "Digits" for step in before)
        and all(token.get("special") for token in content.get("added_tokens") or [])
    )
