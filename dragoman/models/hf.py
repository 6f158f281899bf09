"""The LM door of any architecture that transformers knows and this package has no family file for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.models.answer import Answer, grow
from dragoman.models.asked import Asking, divided
from dragoman.models.device import auto_precision, choose_device
from dragoman.models.hf_decode import HfDecoding
from dragoman.models.hf_net import HfNet
from dragoman.models.memory import enough_memory
from dragoman.models.source import resolve
from dragoman.nn.constraint import Grammar
from dragoman.nn.family import FAMILIES
from dragoman.nn.padding import by_length
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["HfLM"]

_ROWS = 16  # texts in a batch
_TOKENS = 2048  # of a batch that is scored: its logits are tokens x vocabulary
_UNBOUND = 1 << 30


class HfLM:
    """A language model whose forward pass is transformers' and whose drawing, stopping and streaming are ours.

    The same settings give the same tokens as for an architecture written here; only the time differs. With `raw` a
    prompt is a text to go on from (its messages' contents); otherwise it is a dialogue where the model has a chat
    template. `note` says that transformers runs it.
    """

    def __init__(self, folder: str | Path, *, device: str = "auto", precision: str = "auto", raw: bool = False) -> None:
        """Raises UserError as `resolve`, `HfNet` and `Tokenizer`, and for int8, which needs a family file."""
        if precision.startswith("int8"):
            raise UserError("int8 needs an architecture written here", "say precision=bf16 or precision=fp32")
        place, where = resolve(folder), choose_device(device)
        chosen = auto_precision(where) if precision == "auto" else precision
        self._tokenizer = Tokenizer(place)
        self._net = HfNet(place, where, torch.bfloat16 if chosen == "bf16" else torch.float32)
        self._tokenizer.fit_rows(self._net.vocabulary)
        self.chat = self._tokenizer.chat and not raw and not self._net.seq2seq
        self._asking = Asking(self._tokenizer, self.chat, self._net.seq2seq)
        self.longest = self._net.context
        known = self._net.family in FAMILIES.names()
        why = "" if known else f"no family file for '{self._net.family}': "
        self.note = f"{why}run by transformers, slower"

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """`how.n` completions for each prompt, in the order given. Raises UserError where a prompt leaves no room."""
        asked = [ids for prompt in prompts for ids in [self._some(prompt)] * how.n]
        offsets = [offset for _ in prompts for offset in range(how.n)]
        answers = [self._answer(how) for _ in asked]
        for batch in self._batches([len(ids) for ids in asked]):
            with enough_memory(eight_bits=False):
                rows = [asked[index] for index in batch]
                decoding = self._decoding(rows, [offsets[index] for index in batch], how)
                for _ in grow(decoding, [answers[index] for index in batch]):
                    pass
        return [answer.completion(len(ids)) for answer, ids in zip(answers, asked, strict=True)]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """One completion as it is written, in whole characters and never with a part of a stop text."""
        if how.n > 1:
            raise UserError(f"{how.n} answers cannot be streamed at once", "say n=1")
        ids = self._some(prompt)
        with enough_memory(eight_bits=False):
            yield from grow(self._decoding([ids], [0], how), [self._answer(how)])

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each option after each prompt, of shape [prompts, options], in nats.

        Prompt and option are cut as `Asking.parts` does: one that is a new word begins with a space. Divided by the
        option's tokens or UTF-8 bytes with `per`. Raises UserError for an empty option and where prompt and option are
        longer than the context.
        """
        heads = [self._some(prompt) for prompt in prompts]
        pairs = [(row, column) for row in range(len(prompts)) for column in range(len(options))]
        parts = [self._asking.parts(prompts[row], heads[row], options[column]) for row, column in pairs]
        lead, two = self._asking.lead, self._net.seq2seq
        lengths = [len(head) + len(lead) + len(tail) for head, tail in parts]
        for (head, tail), length in zip(parts, lengths, strict=True):
            self._refuse_long(max(len(head), len(lead) + len(tail)) if two else length)
        scores = np.zeros(len(pairs), dtype=np.float64)
        for batch in by_length(lengths, _ROWS, _TOKENS):
            there = [parts[index] for index in batch]
            with enough_memory(eight_bits=False):
                written = [[*lead, *tail] for _, tail in there]
                found = self._net.log_probabilities([head for head, _ in there], written)
            scores[batch] = [values[len(lead) :].double().sum().item() for values in found]
        return divided(scores, per, [tail for _, tail in parts], len(prompts), options)

    def ids(self, prompt: Prompt) -> list[int]:
        """What the model reads of a prompt. Raises UserError where it says nothing."""
        return self._asking.ids(prompt)

    def check(self, prompt: Prompt) -> None:
        """Raise UserError where the prompt says nothing, or leaves no room for an answer."""
        self._some(prompt)

    def _some(self, prompt: Prompt) -> list[int]:
        """A prompt's tokens. Raises UserError where there are none, or where they leave no room for an answer."""
        ids = self.ids(prompt)
        self._refuse_long(len(ids) + (0 if self._net.seq2seq else 1))
        return ids

    def _refuse_long(self, length: int) -> None:
        if self.longest and length > self.longest:
            raise UserError(
                f"{length} tokens are longer than the context of this model, {self.longest}",
                "shorten the prompt, or choose a model with a longer context: dragoman models MODEL tells it",
            )

    def _room(self, ids: Sequence[int]) -> int:
        if not self.longest:
            return _UNBOUND
        return self.longest - (1 if self._net.seq2seq else len(ids))

    def _most(self, ids: Sequence[int], how: Sampling) -> int:
        return min(how.max_tokens, self._room(ids))

    def _batches(self, lengths: Sequence[int]) -> list[list[int]]:
        """Rows of like length; of the same one where the model cannot tell padding from text."""
        if self._net.many_lengths:
            return by_length(lengths, _ROWS)
        same = {length: [row for row, one in enumerate(lengths) if one == length] for length in lengths}
        return [rows[at : at + _ROWS] for rows in same.values() for at in range(0, len(rows), _ROWS)]

    def _answer(self, how: Sampling) -> Answer:
        return Answer(self._tokenizer, how, self._asking.goes_on)

    def _decoding(self, rows: Sequence[Sequence[int]], offsets: Sequence[int], how: Sampling) -> HfDecoding:
        if how.beams > 1:
            raise UserError("transformers runs this model, which draws without beams here", "say beams=1")
        grammar = Grammar.of(how, self._tokenizer)
        return HfDecoding(
            self._net,
            rows,
            how,
            offsets=offsets,
            limits=[self._most(ids, how) for ids in rows],
            eos_ids=self._tokenizer.eos_ids,
            grammars=None if grammar is None else [grammar.matcher() for _ in rows],
        )
