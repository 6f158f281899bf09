"""The LM door of our own transformer: prompts become ids, ids become tokens, tokens become whole characters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling, Token
from dragoman.core.types import Message
from dragoman.nn.beam import search
from dragoman.nn.characters import Characters
from dragoman.nn.constraint import Grammar
from dragoman.nn.decode import Decoding, Writer, Written, empty_prompt, read, room
from dragoman.nn.packed import Weights, pack
from dragoman.nn.padding import by_length, pad
from dragoman.nn.stops import Stops
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["LocalLM"]

# Prompts of like length go together, so that little is padding. On two cores 16 rows give five times the tokens of
# one; a GPU takes what fits in so many tokens of cache.
CPU_ROWS, GPU_ROWS, TOKENS = 16, 128, 262_144


@dataclass
class _Text:
    """One answer as it grows."""

    characters: Characters
    stops: Stops
    said: list[str] = field(default_factory=list)
    told: list[Token] = field(default_factory=list)
    tokens: int = 0
    stopped: bool = False


class LocalLM:
    """A decoder or encoder-decoder of `nn` behind the LM door.

    A prompt of messages is rendered by the model's chat template, as it was trained; `raw`, or without a template, the
    contents are joined by a newline and the model goes on from there. `weights` is what the matrices are kept in.
    """

    def __init__(
        self,
        net: Writer,
        tokenizer: Tokenizer,
        *,
        device: torch.device | None = None,
        weights: Weights = "fp32",
        raw: bool = False,
    ) -> None:
        """Take over `net`: it is moved, cast and packed for answering."""
        self.device = device or torch.device("cpu")
        self.weights = weights
        self.arch = net.arch
        self.chat = tokenizer.chat and not raw
        self.longest = net.arch.longest
        self.tokenizer = tokenizer
        self._net = net.to(self.device).eval()
        pack(self._net, weights)

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """`how.n` completions for each prompt, those of one prompt next to each other.

        Raises UserError where a prompt is empty or longer than the model reads.
        """
        rows = [self.ids(prompt) for prompt in prompts]
        more = max((room(self.arch, row, how.max_tokens) for row in rows), default=0)
        lengths = [len(row) + more for row in rows]  # of the cache; the order is that of the prompts
        found: list[Completion] = [Completion("")] * (len(rows) * how.n)
        few = CPU_ROWS if self.device.type == "cpu" else GPU_ROWS
        for batch in by_length(lengths, max(1, few // how.n), TOKENS // how.n):
            made = self._batch([rows[index] for index in batch], how)
            for place, index in enumerate(batch):
                found[index * how.n : (index + 1) * how.n] = made[place * how.n : (place + 1) * how.n]
        return found

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """One completion piece by piece, in whole characters; what may be the start of a stop text waits."""
        ids = self.ids(prompt)
        room(self.arch, ids, how.max_tokens)
        if how.n > 1 or how.beams > 1:
            raise UserError("only one answer can be streamed", "say n=1 beams=1")
        decoding, text = self._decoding([ids], how), self._text(how)
        while written := decoding.step():
            piece = self._take(written[0], text)
            if text.stopped:
                decoding.end(0)
            if piece:
                yield piece
        if not text.stopped and (rest := self._rest(text)):
            yield rest

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each option after each prompt in nats, of shape [prompts, options].

        An option is written right behind the prompt, or is the answer where the model has a chat template; a space
        between them belongs to the option. Raises UserError where an option is empty, where both are longer than the
        model reads, and where its numbers are not finite.
        """
        asked = [(row, option) for row in range(len(prompts)) for option in range(len(options))]
        heads = [self.ids(prompt) for prompt in prompts]
        parts = [self._parts(prompts[row], heads[row], options[option]) for row, option in asked]
        # What was read once serves all options that stand behind the same ids.
        shared: dict[tuple[int, ...], list[int]] = {}
        for number, (head, _) in enumerate(parts):
            shared.setdefault(tuple(head), []).append(number)
        found = np.zeros(len(parts), dtype=np.float64)
        few = CPU_ROWS if self.device.type == "cpu" else GPU_ROWS
        for front, numbers in shared.items():
            for start in range(0, len(numbers), few):
                some = numbers[start : start + few]
                found[some] = self._scores(front, [parts[number][1] for number in some])
        if per == "token":
            found /= np.array([len(tail) for _, tail in parts], dtype=np.float64)
        if per == "byte":
            found /= np.array([len(options[option].encode("utf-8")) for _, option in asked], dtype=np.float64)
        return found.reshape(len(prompts), len(options))

    def _parts(self, prompt: Prompt, head: list[int], option: str) -> tuple[list[int], list[int]]:
        """What is read and what is scored: the ids of both together, cut where they part from the prompt's alone.

        So a token that holds the end of the prompt and the beginning of the option is scored whole.
        """
        apart, two = self.tokenizer.plain([option])[0], self.arch.kind == "encoder-decoder"
        if not apart:
            raise UserError(f"the option {option!r} adds no token to the prompt", "leave empty options out")
        if two:
            room(self.arch, head, 1)
            most = self.arch.longest - 1 - len(self._lead)
            if len(apart) > most:
                said = f"the option {option[:40]!r} has {len(apart):,} tokens, and this model writes {most:,}"
                raise UserError(said, "shorten it, or choose another model: dragoman models MODEL says what it reads")
            return head, apart
        goes_on = prompt[-1].role == "assistant" or not self.chat
        last = Message(prompt[-1].role, prompt[-1].content + option) if goes_on else Message("assistant", option)
        whole = self.ids([*(prompt[:-1] if goes_on else prompt), last])
        cut = _alike(head, whole)
        # Where even the first token is another one nothing is left to read, so both are taken as they are alone.
        head, tail = (whole[:cut], whole[cut:]) if cut and whole[cut:] else (head, apart)
        room(self.arch, [*head, *tail[:-1]], 1)
        return head, tail

    @property
    def _lead(self) -> list[int]:
        """What an encoder-decoder writes in front of every answer, after its start token: BART's <s>, in T5 nothing."""
        return self.tokenizer.start("") if self.arch.kind == "encoder-decoder" else []

    def ids(self, prompt: Prompt) -> list[int]:
        """What the model reads of a prompt. Raises UserError where it says nothing."""
        if not any(message.content for message in prompt):
            raise empty_prompt()
        if self.chat:
            return self.tokenizer.dialogue(list(prompt))
        text = "\n".join(message.content for message in prompt)
        if self.arch.kind == "encoder-decoder":
            return self.tokenizer.encode([text], max(self.tokenizer.count([text])))[0]
        return self.tokenizer.start(text)

    def _batch(self, rows: Sequence[Sequence[int]], how: Sampling) -> list[Completion]:
        if how.beams > 1:
            return self._searched(rows, how)
        decoding = self._decoding(rows, how)
        texts = [self._text(how) for _ in decoding.rows]
        while written := decoding.step():
            for one in written:
                text = texts[one.row]
                self._take(one, text)
                if text.stopped:
                    decoding.end(one.row)
        for text in texts:
            if not text.stopped:
                self._rest(text)
        ends = ["stop" if text.stopped else finish for text, finish in zip(texts, decoding.finish, strict=True)]
        return [
            Completion("".join(text.said), text.tokens, ends[row], len(rows[row // how.n]), tuple(text.told))
            for row, text in enumerate(texts)
        ]

    def _searched(self, rows: Sequence[Sequence[int]], how: Sampling) -> list[Completion]:
        found = []
        for row in rows:
            beams = search(self._net, row, how, self.tokenizer.eos_ids, self.tokenizer.pad_id)
            for ids, ended in beams[: how.n]:
                text = self._text(how)
                for number in ids:
                    self._take(Written(0, number), text)
                if not text.stopped:
                    self._rest(text)
                finish = "stop" if ended or text.stopped else "length"
                found.append(Completion("".join(text.said), len(ids), finish, len(row)))
        return found

    def _decoding(self, rows: Sequence[Sequence[int]], how: Sampling) -> Decoding:
        grammar = Grammar.of(how, self.tokenizer)
        return Decoding(
            self._net,
            rows,
            how,
            eos_ids=self.tokenizer.eos_ids,
            pad_id=self.tokenizer.pad_id,
            grammars=None if grammar is None else [grammar.matcher() for _ in range(len(rows) * how.n)],
        )

    def _text(self, how: Sampling) -> _Text:
        shaped = bool(how.json_schema or how.regex or how.choices)  # what a constraint writes is kept to the letter
        goes_on = shaped or (not self.chat and self.arch.kind == "decoder")
        return _Text(self.tokenizer.characters(inside=goes_on), Stops(how.stop))

    def _take(self, one: Written, text: _Text) -> str:
        """Add a token to its text; what of it may be shown now."""
        text.tokens += 1
        if text.stopped or one.id in self.tokenizer.eos_ids:
            return ""
        if one.top:
            names = [(self._name(number), chance) for number, chance in one.top]
            text.told.append(Token(self._name(one.id), one.id, one.logprob, tuple(names)))
        piece, text.stopped = text.stops.push(text.characters.push(one.id))
        text.said.append(piece)
        return piece

    def _rest(self, text: _Text) -> str:
        """What was held back when the answer is over."""
        piece, text.stopped = text.stops.push(text.characters.end())
        rest = piece if text.stopped else piece + text.stops.end()
        text.said.append(rest)
        return rest

    def _name(self, number: int) -> str:
        return self.tokenizer.pieces([number])[0].decode("utf-8", "replace") or self.tokenizer.tokens([number])[0]

    @torch.inference_mode()
    def _scores(self, head: Sequence[int], tails: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """The summed log-probability of each tail: the head is read once, the tails side by side."""
        lead = self._lead
        wanted, real = pad([[*lead, *tail] for tail in tails], 0)  # [o, t], [o, t]
        wanted, longest = wanted.to(self.device), wanted.shape[1]
        reading = read(self._net, [head], longest, self.tokenizer.pad_id, len(tails))
        logits = reading.logits[:, None]  # [o, 1, v]
        if longest > 1:
            logits = torch.cat((logits, reading.go_on(wanted[:, :-1])), dim=1)  # [o, t, v]
        log = logits.float().log_softmax(-1).gather(2, wanted[:, :, None])[:, :, 0].cpu().double()  # [o, t]
        log = log if real is None else log.masked_fill(~real, 0.0)  # [o, t]
        summed: NDArray[np.float64] = log[:, len(lead) :].sum(1).numpy()  # [o]
        if not np.isfinite(summed).all():
            raise UserError("the model's numbers are not finite", "say precision=fp32, or check the weights")
        return summed


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids both begin with."""
    length = min(len(one), len(other))
    return next((place for place in range(length) if one[place] != other[place]), length)
