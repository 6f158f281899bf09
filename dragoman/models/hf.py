"""The LM door of any architecture that transformers knows and this package has no family file for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling, Token
from dragoman.models.device import choose_device, has_bf16
from dragoman.models.hf_net import HfNet, Running
from dragoman.models.source import resolve
from dragoman.nn.constraint import Grammar
from dragoman.nn.family import FAMILIES
from dragoman.nn.padding import by_length
from dragoman.nn.sampling import Sampler
from dragoman.nn.stops import Stops
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
        half = precision == "bf16" or (precision == "auto" and where.type == "cuda" and has_bf16(where))
        self._tokenizer = Tokenizer(place)
        self._net = HfNet(place, where, torch.bfloat16 if half else torch.float32)
        self.chat = self._tokenizer.chat and not raw and not self._net.seq2seq
        self.longest = self._net.context
        known = self._net.family in FAMILIES.names()
        why = "" if known else f"no family file for '{self._net.family}': "
        self.note = f"{why}run by transformers, slower"

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """`how.n` completions for each prompt, in the order given. Raises UserError where a prompt leaves no room."""
        asked = [ids for prompt in prompts for ids in [self._some(prompt)] * how.n]
        offsets = [offset for _ in prompts for offset in range(how.n)]
        rows = [_Row(self._tokenizer, how, self._most(ids, how)) for ids in asked]
        for batch in self._batches([len(ids) for ids in asked]):
            running = [rows[index] for index in batch]
            for _ in self._steps([asked[index] for index in batch], [offsets[index] for index in batch], running, how):
                pass
        return [row.completion(len(ids)) for row, ids in zip(rows, asked, strict=True)]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """One completion as it is written, in whole characters and never with a part of a stop text."""
        if how.n > 1:
            raise UserError(f"{how.n} answers cannot be streamed at once", "say n=1")
        ids = self._some(prompt)
        row, shown = _Row(self._tokenizer, how, self._most(ids, how)), 0
        for _ in self._steps([ids], [0], [row], how):
            piece, shown = row.text[shown:], len(row.text)
            if piece:
                yield piece

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each option after each prompt, of shape [prompts, options], in nats.

        Prompt and option are tokenised apart and joined. The option is taken as it stands behind a prompt: one that is
        a new word begins with a space. Divided by the option's tokens or UTF-8 bytes with `per`. Raises UserError for
        an empty option and where prompt and option are longer than the context.
        """
        if "" in options:
            raise UserError("an empty option has no probability", "give each option a text")
        before = [self._some(prompt) for prompt in prompts]
        after = [self._behind(option) for option in options]
        pairs = [(row, column) for row in range(len(before)) for column in range(len(after))]
        lengths = [len(before[row]) + len(after[column]) for row, column in pairs]
        self._refuse_long(0 if self._net.seq2seq else max(lengths, default=0))
        scores = np.zeros((len(prompts), len(options)), dtype=np.float64)
        for batch in by_length(lengths, _ROWS, _TOKENS):
            there = [pairs[index] for index in batch]
            found = self._net.log_probabilities([before[row] for row, _ in there], [after[one] for _, one in there])
            for (row, column), values in zip(there, found, strict=True):
                scores[row, column] = values.double().sum().item()
        sizes = {"sum": [1 for _ in options], "token": list(map(len, after))}
        divisors = sizes.get(per) or [len(option.encode("utf-8")) for option in options]
        scaled: NDArray[np.float64] = scores / np.array(divisors, dtype=np.float64)
        return scaled

    def ids(self, prompt: Prompt) -> list[int]:
        """What the model reads of a prompt."""
        if self.chat:
            return self._tokenizer.dialogue(prompt)
        text = "\n".join(message.content for message in prompt)
        return self._tokenizer.encode([text], _UNBOUND)[0] if self._net.seq2seq else self._tokenizer.start(text)

    def _some(self, prompt: Prompt) -> list[int]:
        """A prompt's tokens. Raises UserError where there are none, or where they leave no room for an answer."""
        ids = self.ids(prompt) if any(message.content for message in prompt) else []
        if not ids:
            raise UserError("the prompt is empty", 'give one: dragoman generate MODEL "Once upon a time"')
        self._refuse_long(len(ids) + (0 if self._net.seq2seq else 1))
        return ids

    def _behind(self, option: str) -> list[int]:
        """The tokens of a text that stands behind another: SentencePiece would put a space in front of one alone."""
        if self._net.seq2seq:
            return self._tokenizer.plain([option])[0]
        line, both, alone = self._tokenizer.plain(["\n", f"\n{option}", option])
        return both[len(line) :] if line and both[: len(line)] == line and len(both) > len(line) else alone

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

    def _steps(
        self, prompts: Sequence[Sequence[int]], offsets: Sequence[int], rows: Sequence["_Row"], how: Sampling
    ) -> Iterator[None]:
        """Let a batch grow by one token a step until every row of it is done."""
        if how.beams > 1:
            raise UserError("transformers runs this model, which draws without beams here", "say beams=1")
        grammar = Grammar.of(how, self._tokenizer)
        matchers = [grammar.matcher() for _ in prompts] if grammar else None
        running = Running(self._net, prompts)
        width = running.logits.shape[1]
        ends = frozenset(one for one in self._tokenizer.eos_ids if one < width)
        sampler = Sampler(how, prompts, width, ends, running.logits.device, offsets, matchers)
        while True:
            try:
                drawn = sampler.draw(running.logits)  # [b]
            except ValueError:
                raise UserError("the model's numbers are not finite", "say precision=fp32") from None
            told = [part.cpu() for part in sampler.told] if sampler.told else None
            for place, token in enumerate(drawn.tolist()):
                row = rows[place]
                if row.finish:
                    continue
                row.push(token, token in ends, matchers is not None and matchers[place].done)
                if told and token not in ends:
                    row.tell(token, float(told[0][place]), told[1][place].tolist(), told[2][place].tolist())
            yield
            if all(row.finish for row in rows):
                return
            running.push(drawn)


class _Row:
    """One answer as it grows."""

    def __init__(self, tokenizer: Tokenizer, how: Sampling, most: int) -> None:
        self.text, self.finish = "", ""
        self._tokenizer, self._most = tokenizer, most
        self._characters, self._stops = tokenizer.characters(), Stops(how.stop)
        self._count = 0
        self._told: list[Token] = []

    def push(self, token: int, is_end: bool, is_whole: bool) -> None:
        """Take one token: the end, or a piece of text after which nothing may follow where `is_whole`."""
        self._count += 1
        if is_end:
            self._close("stop")
            return
        piece, stopped = self._stops.push(self._characters.push(token))
        self.text += piece
        if stopped:
            self.finish = "stop"
        elif is_whole:
            self._close("stop")
        elif self._count >= self._most:
            self._close("length")

    def tell(self, token: int, logprob: float, top: Sequence[int], values: Sequence[float]) -> None:
        """Remember how probable the last token was."""
        texts = [piece.decode("utf-8", "replace") for piece in self._tokenizer.pieces([token, *top])]
        self._told.append(Token(texts[0], token, logprob, tuple(zip(texts[1:], values, strict=True))))

    def completion(self, prompt_tokens: int) -> Completion:
        """What was written."""
        return Completion(self.text, self._count, self.finish, prompt_tokens, tuple(self._told))

    def _close(self, finish: str) -> None:
        """The text is over: what was held back belongs to it, unless it holds a stop text after all."""
        piece, stopped = self._stops.push(self._characters.end())
        self.text += piece if stopped else piece + self._stops.end()
        self.finish = "stop" if stopped else finish
