"""The LM door of a tagger: a language model that writes one tag for each word of the text it is given."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax

from dragoman.core.config import nearest
from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.models.classifier import text_of
from dragoman.models.encoder import longest_text, plan
from dragoman.nn.heads import Tagger
from dragoman.nn.padding import pad
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.words import read_words, words_of

__all__ = ["LocalTagger"]

OUTSIDE = "O"


class LocalTagger:
    """A tagger of `nn` behind the LM door. A text longer than it reads goes through it in windows that overlap."""

    def __init__(
        self,
        net: Tagger,
        tokenizer: Tokenizer,
        *,
        device: torch.device | None = None,
        half: bool = False,
        max_length: int = 0,
    ) -> None:
        """Take over `net` (it is moved and, with `half`, cast to bf16).

        Raises UserError where max_length exceeds the model's positions.
        """
        self.device = device or torch.device("cpu")
        self.labels = net.labels
        self.max_length = longest_text(net.arch, tokenizer, max_length)
        # A word that gives no token is outside of everything; of other tag sets the first tag stands for that.
        self._unread = self.labels.index(OUTSIDE) if OUTSIDE in self.labels else 0
        self._tokenizer = tokenizer
        self._net = net.to(self.device, torch.bfloat16 if half else torch.float32).eval()

    def chances(self, texts: Sequence[str]) -> list[NDArray[np.float64]]:
        """The log-probability of each tag for each word of each text, of shape [words, tags], in nats.

        A word that gives no token, such as one of control characters, is O for sure.
        """
        read = read_words(self._tokenizer, texts, self.max_length)
        found = []
        for text in texts:
            table = np.full((len(words_of(text)), len(self.labels)), -np.inf)
            table[:, self._unread] = 0.0
            found.append(table)
        windows = [(row, reading) for row, readings in enumerate(read) for reading in readings if reading.words]
        for batch in plan([len(reading.ids) for _, reading in windows], self.device):
            logs = self._log_probabilities([windows[number][1].ids for number in batch])  # [b, s, tags]
            for place, number in enumerate(batch):
                row, reading = windows[number]
                found[row][list(reading.words)] = logs[place, list(reading.places)].numpy()
        return found

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """The most probable tag of each word, joined by spaces. A tagger does not draw, so `how` changes nothing."""
        written = []
        for table in self.chances([text_of(prompt) for prompt in prompts]):
            tags = [self.labels[number] for number in table.argmax(1)]
            written.append(Completion(" ".join(tags), tokens=len(tags)))
        return written

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The tags, one piece a word."""
        for number, tag in enumerate(self.generate([prompt], how)[0].text.split(" ")):
            yield f" {tag}" if number else tag

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each option, tags joined by spaces, of shape [prompts, options].

        A tag is one token: `per` divides by their number (`token`) or by the option's bytes (`byte`). Raises UserError
        where an option holds an unknown tag, or more or fewer tags than the text has words.
        """
        tables = self.chances([text_of(prompt) for prompt in prompts])
        scores = np.empty((len(tables), len(options)))
        for column, option in enumerate(options):
            tags = option.split(" ")
            for tag in tags:
                if tag not in self.labels:
                    raise UserError(f"this tagger knows no tag '{tag}'", nearest(tag, self.labels))
            numbers = [self.labels.index(tag) for tag in tags]
            size = {"sum": 1, "token": len(tags), "byte": len(option.encode("utf-8"))}[per]
            for row, table in enumerate(tables):
                if len(table) != len(tags):
                    raise UserError(f"{len(tags)} tags cannot be those of {len(table)} words", "give one tag a word")
                scores[row, column] = table[np.arange(len(tags)), numbers].sum() / size
        return scores

    def cut(self, prompts: Sequence[Prompt]) -> int:
        """None of the prompts loses its end: long ones are read in windows."""
        return 0

    @torch.inference_mode()
    def _log_probabilities(self, rows: Sequence[Sequence[int]]) -> Tensor:
        ids, mask = pad(rows, self._tokenizer.pad_id)  # [b, s], [b, s]
        ids, mask = ids.to(self.device), None if mask is None else mask.to(self.device)
        return log_softmax(self._net(ids, mask).cpu().double(), dim=2)  # [b, s, tags]
