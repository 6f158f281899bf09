"""The LM door of our own transformer: prompts become ids, ids become tokens, tokens become whole characters."""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.models.answer import Answer, grow
from dragoman.models.asked import Asking, divided
from dragoman.models.memory import cached_tokens, enough_memory
from dragoman.nn.beam import search
from dragoman.nn.constraint import Grammar
from dragoman.nn.decode import Decoding, Writer, Written, read, room
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.packed import Weights, pack
from dragoman.nn.padding import by_length, pad
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["LocalLM"]

# Prompts of like length go together, so that little is padding. On two cores 16 rows give five times the tokens of
# one; a GPU takes more. On both the cache has to fit in memory.
CPU_ROWS, GPU_ROWS = 16, 128
# Tokens of options scored at a time: their logits are tokens x vocabulary, 1 GB with 128,000 tokens in float32.
SCORED = 2048


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
        self.note = ""
        self.tokenizer = tokenizer
        self._asking = Asking(tokenizer, self.chat, net.arch.kind == "encoder-decoder")
        self._net = net.to(self.device).eval()
        pack(self._net, weights)

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """`how.n` completions for each prompt, those of one prompt next to each other.

        Raises UserError where a prompt is empty or longer than the model reads.
        """
        rows = [self.ids(prompt) for prompt in prompts]
        found: list[Completion] = [Completion("")] * (len(rows) * how.n)
        for batch in self.batches(rows, how):
            made = self.batch([rows[index] for index in batch], how)
            for place, index in enumerate(batch):
                found[index * how.n : (index + 1) * how.n] = made[place * how.n : (place + 1) * how.n]
        return found

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """One completion piece by piece, in whole characters; what may be the start of a stop text waits."""
        ids = self.ids(prompt)
        room(self.arch, ids, how.max_tokens)
        if how.n > 1 or how.beams > 1:
            raise UserError("only one answer can be streamed", "say n=1 beams=1")
        with enough_memory(self._could_shrink):
            yield from grow(self._decoding([ids], how), [self._answer(how)])

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
        for front, numbers in shared.items():
            tails = [parts[number][1] for number in numbers]
            fit = self.cached_tokens() // (len(front) + max(map(len, tails)))
            for batch in by_length([len(tail) for tail in tails], max(1, min(self._most_rows, fit)), SCORED):
                with enough_memory(self._could_shrink):
                    found[[numbers[place] for place in batch]] = self._scores(front, [tails[place] for place in batch])
        return divided(found, per, [tail for _, tail in parts], len(prompts), options)

    def ids(self, prompt: Prompt) -> list[int]:
        """What the model reads of a prompt. Raises UserError where it says nothing."""
        return self._asking.ids(prompt)

    def check(self, prompt: Prompt) -> None:
        """Raise UserError where the prompt says nothing, or leaves no room for an answer."""
        room(self.arch, self.ids(prompt), 1)

    @property
    def net(self) -> Writer:
        """The net that answers, laid out for it."""
        return self._net

    def text_ids(self, prompt: Prompt) -> list[int]:
        """What the model reads of a text that it is to go on with, without a template. Raises UserError as `ids`."""
        return Asking(self.tokenizer, False, self.arch.kind == "encoder-decoder").ids(prompt)

    def cached_tokens(self) -> int:
        """How many tokens may be in the cache at once; what it is made of is said in `nn.decode.read`."""
        decoder = self._net.decoder if isinstance(self._net, EncoderDecoder) else self._net
        size = 4 if self.device.type == "cpu" else decoder.embeddings.words.weight.element_size()
        return cached_tokens(self.arch, self.device, size)

    def beside(self, net: Writer) -> "LocalLM":
        """The same door over another net that is laid out already, as one that shares this one's matrices."""
        twin = copy.copy(self)
        twin._net = net
        return twin

    def batches(self, rows: Sequence[Sequence[int]], how: Sampling) -> list[list[int]]:
        """The numbers of the rows that are answered together, such that little is padding and all fits in memory.

        Raises UserError where a row is longer than the model reads.
        """
        more = max((room(self.arch, row, how.max_tokens) for row in rows), default=0)
        lengths = [len(row) + more for row in rows]  # of the cache; the order is that of the prompts
        tokens = self.cached_tokens() // how.n
        return by_length(lengths, max(1, self._most_rows // how.n), max(1, tokens))

    def batch(self, rows: Sequence[Sequence[int]], how: Sampling) -> list[Completion]:
        """`how.n` completions for each row of ids, all of them in one batch."""
        with enough_memory(self._could_shrink):
            return self._batch(rows, how)

    @property
    def _most_rows(self) -> int:
        return CPU_ROWS if self.device.type == "cpu" else GPU_ROWS

    @property
    def _could_shrink(self) -> bool:
        return not self.weights.startswith("int8")

    def _parts(self, prompt: Prompt, head: list[int], option: str) -> tuple[list[int], list[int]]:
        """What is read and what is scored. Raises UserError where the model does not read so much."""
        head, tail = self._asking.parts(prompt, head, option)
        if self.arch.kind == "encoder-decoder":
            room(self.arch, head, 1)
            most = self.arch.longest - 1 - len(self._asking.lead)
            if len(tail) > most:
                said = f"the option {option[:40]!r} has {len(tail):,} tokens, and this model writes {most:,}"
                raise UserError(said, "shorten it, or choose another model: dragoman models MODEL says what it reads")
        else:
            room(self.arch, [*head, *tail[:-1]], 1)
        return head, tail

    def _batch(self, rows: Sequence[Sequence[int]], how: Sampling) -> list[Completion]:
        if how.beams > 1:
            return self._searched(rows, how)
        decoding, answers = self._decoding(rows, how), [self._answer(how) for _ in range(len(rows) * how.n)]
        for _ in grow(decoding, answers):
            pass
        return [answer.completion(len(rows[row // how.n])) for row, answer in enumerate(answers)]

    def _searched(self, rows: Sequence[Sequence[int]], how: Sampling) -> list[Completion]:
        found = []
        for row in rows:
            beams = search(self._net, row, how, self.tokenizer.eos_ids, self.tokenizer.pad_id)
            for ids, ended in beams[: how.n]:
                answer = self._answer(how)
                for number in ids:
                    answer.push(Written(0, number))
                answer.end("stop" if ended else "length")
                found.append(answer.completion(len(row)))
        return found

    def _answer(self, how: Sampling) -> Answer:
        return Answer(self.tokenizer, how, self._asking.goes_on)

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

    @torch.inference_mode()
    def _scores(self, head: Sequence[int], tails: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """The summed log-probability of each tail: the head is read once, the tails side by side."""
        lead = self._asking.lead
        wanted, real = pad([[*lead, *tail] for tail in tails], 0)  # [o, t], [o, t]
        wanted, longest = wanted.to(self.device), wanted.shape[1]
        reading = read(self._net, [head], longest, self.tokenizer.pad_id, len(tails))
        found = [_chosen(reading.logits[:, None], wanted[:, :1])]  # [o, 1]
        step = max(1, SCORED // len(tails))  # an option may alone be longer than what is scored at a time
        for start in range(0, longest - 1, step):
            part = wanted[:, start : min(start + step, longest - 1)]  # [o, s]
            found.append(_chosen(reading.go_on(part), wanted[:, start + 1 : start + 1 + part.shape[1]]))  # [o, s]
        log = torch.cat(found, dim=1).cpu().double()  # [o, t]
        log = log if real is None else log.masked_fill(~real, 0.0)  # [o, t]
        summed: NDArray[np.float64] = log[:, len(lead) :].sum(1).numpy()  # [o]
        return summed


def _chosen(logits: Tensor, ids: Tensor) -> Tensor:
    """The log-probability of each token, of shape [o, s], in float32."""
    return logits.float().log_softmax(-1).gather(2, ids[:, :, None])[:, :, 0]  # [o, s]
