"""The LM door of an extractor: a language model that answers a question with words cut out of its context."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dragoman.core.doors import Per, Prompt
from dragoman.core.sampling import Completion, Sampling
from dragoman.models.classifier import text_of
from dragoman.models.encoder import plan
from dragoman.nn.heads import Extractor
from dragoman.nn.padding import pad
from dragoman.nn.questions import Pairing, Passage, read_passages, split_prompt, token_span
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["Found", "LocalExtractor"]

LONGEST_ANSWER = 30
"tokens, as in BERT's run on SQuAD, of whose answers 99 % are shorter"
LONGEST_ROW = 384
"tokens of a row where nothing is said, as in BERT's run on SQuAD"


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, the characters of the context that it is, and the log-probability of its span in its window."""

    text: str
    begin: int
    end: int
    score: float


class LocalExtractor:
    """An extractor of `nn` behind the LM door. A prompt is a context, an empty line and the question.

    The answer is the best span of at most `max_answer` tokens over all windows of the context, as its characters stand
    there. Each window's probabilities are shared among its context and its first token, which is what a window without
    the answer was taught to choose: so windows can be compared.
    """

    def __init__(
        self,
        net: Extractor,
        tokenizer: Tokenizer,
        *,
        device: torch.device | None = None,
        half: bool = False,
        max_length: int = 0,
        max_answer: int = LONGEST_ANSWER,
    ) -> None:
        """Take over `net` (it is moved and, with `half`, cast to bf16).

        Raises UserError where max_length exceeds the model's positions, or the tokenizer does not join two texts.
        """
        if max_length:
            net.arch.require(max_length)
        self.device = device or torch.device("cpu")
        self.max_length = max_length or min(tokenizer.max_length or LONGEST_ROW, net.arch.longest)
        self.max_answer = max_answer
        self._pairing = Pairing.of(tokenizer, net.arch)
        self._tokenizer = tokenizer
        self._net = net.to(self.device, torch.bfloat16 if half else torch.float32).eval()

    def find(self, asked: Sequence[tuple[str, str]]) -> list[Found]:
        """The best answer to each (context, question); an empty one where the context has no words."""
        read = read_passages(self._tokenizer, self._pairing, asked, self.max_length)
        best = [Found("", 0, 0, -np.inf) for _ in asked]
        for row, passage, logs in self._windows(read):
            span = _best(logs, self.max_answer)
            if span is not None and span[2] > best[row].score:
                begin, end = passage.spans[span[0]][0], passage.spans[span[1]][1]
                best[row] = Found(asked[row][0][begin:end], begin, end, span[2])
        return best

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """The answer to each prompt. An extractor does not draw, so `how` changes nothing.

        Raises UserError where a prompt is no context with a question behind it.
        """
        found = self.find([split_prompt(text_of(prompt)) for prompt in prompts])
        return [Completion(one.text, tokens=len(self._tokenizer.plain([one.text])[0])) for one in found]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The answer, in one piece."""
        yield self.generate([prompt], how)[0].text

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each option where it stands best in the context, of shape [prompts, options].

        It is minus infinity where the context does not hold the option: an extractor cannot say it. `per` divides by
        the option's tokens or bytes.
        """
        asked = [split_prompt(text_of(prompt)) for prompt in prompts]
        scores = np.full((len(asked), len(options)), -np.inf)
        places = [[_occurrences(context, option) for option in options] for context, _ in asked]
        for row, passage, logs in self._windows(read_passages(self._tokenizer, self._pairing, asked, self.max_length)):
            for column, option in enumerate(options):
                for begin in places[row][column]:
                    held = _inside(passage, begin, begin + len(option))
                    if held is not None:
                        scores[row, column] = max(scores[row, column], logs[held[0], 0] + logs[held[1], 1])
        for column, option in enumerate(options):
            tokens = len(self._tokenizer.plain([option])[0])
            scores[:, column] /= max(1, {"sum": 1, "token": tokens, "byte": len(option.encode("utf-8"))}[per])
        return scores

    def cut(self, prompts: Sequence[Prompt]) -> int:
        """None of the prompts loses its end: long contexts are read in windows."""
        return 0

    def _windows(self, read: Sequence[Sequence[Passage]]) -> Iterator[tuple[int, Passage, NDArray[np.float64]]]:
        """Each window with the log-probabilities of its tokens to be the first and the last, of shape [tokens, 2]."""
        rows = [(row, passage) for row, passages in enumerate(read) for passage in passages if passage.spans]
        for batch in plan([len(passage.ids) for _, passage in rows], self.device):
            logs = self._log_probabilities([rows[number][1].ids for number in batch])  # [b, s, 2]
            for place, number in enumerate(batch):
                row, passage = rows[number]
                yield row, passage, logs[place, passage.start : passage.start + len(passage.spans)]

    @torch.inference_mode()
    def _log_probabilities(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        ids, mask = pad(rows, self._tokenizer.pad_id)  # [b, s], [b, s]
        ids, mask = ids.to(self.device), None if mask is None else mask.to(self.device)
        logits = self._net(ids, mask, self._pairing.second(ids)).double()  # [b, s, 2]
        allowed = self._pairing.allowed(ids, mask)  # [b, s]
        logs = logits.masked_fill(~allowed[:, :, None], -torch.inf).log_softmax(1)  # [b, s, 2]
        found: NDArray[np.float64] = logs.cpu().numpy()
        return found


def _best(logs: NDArray[np.float64], longest: int) -> tuple[int, int, float] | None:
    """The first and last token of the best span of at most so many tokens, with its score; None where none is open."""
    tokens = len(logs)
    both = logs[:, :1] + logs[None, :, 1]  # [first, last]
    legal = np.triu(np.ones((tokens, tokens), dtype=bool)) & ~np.triu(np.ones((tokens, tokens), dtype=bool), longest)
    both = np.where(legal, both, -np.inf)
    first, last = divmod(int(both.argmax()), tokens)
    return (first, last, float(both[first, last])) if both[first, last] > -np.inf else None


def _occurrences(context: str, option: str) -> list[int]:
    """Where an option stands in its context, by its first character."""
    found: list[int] = []
    place = context.find(option) if option else -1
    while place >= 0:
        found.append(place)
        place = context.find(option, place + 1)
    return found


def _inside(passage: Passage, begin: int, end: int) -> tuple[int, int] | None:
    """The tokens of the window that hold these characters, where it holds all of them."""
    if begin < passage.spans[0][0] or end > passage.spans[-1][1]:
        return None
    return token_span(passage.spans, begin, end)
