"""The LM door of a classifier: a language model whose whole vocabulary is its labels."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

from dragoman.core.config import nearest
from dragoman.core.doors import Per, Prompt
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.models.encoder import longest_text, plan
from dragoman.nn.heads import Classifier
from dragoman.nn.padding import pad
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["LocalClassifier", "text_of"]


class LocalClassifier:
    """A classifier of `nn` behind the LM door. It reads what the user says; in fp32 its scores are the trained ones."""

    def __init__(
        self,
        net: Classifier,
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
        self.multi_label = net.multi_label
        self.max_length = longest_text(net.arch, tokenizer, max_length)
        self._tokenizer = tokenizer
        self._net = net.to(self.device, torch.bfloat16 if half else torch.float32).eval()

    def score(self, prompts: Sequence[Prompt], options: Sequence[str], per: Per = "sum") -> NDArray[np.float64]:
        """The log-probability of each label in `options`, of shape [prompts, options].

        Single-label probabilities sum to one over all labels of the model; multi-label ones each stand alone. A label
        is one token and is not divided by anything, so `per` changes nothing.
        Raises UserError where an option is no label of this model.
        """
        for option in options:
            if option not in self.labels:
                raise UserError(f"this classifier knows no label '{option}'", nearest(option, self.labels))
        columns = [self.labels.index(option) for option in options]
        return self._scores([text_of(prompt) for prompt in prompts])[:, columns]

    def generate(self, prompts: Sequence[Prompt], how: Sampling) -> list[Completion]:
        """The most probable label of each prompt. A classifier does not draw, so `how` changes nothing."""
        best = self.score(prompts, self.labels).argmax(1)
        return [Completion(self.labels[index], tokens=1) for index in best]

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        """The most probable label, in one piece."""
        yield self.generate([prompt], how)[0].text

    def cut(self, prompts: Sequence[Prompt]) -> int:
        """How many of the prompts are longer than max_length and lose their end."""
        return sum(
            length > self.max_length for length in self._tokenizer.count([text_of(prompt) for prompt in prompts])
        )

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        rows = self._tokenizer.encode(texts, self.max_length)
        scores = np.empty((len(rows), len(self.labels)), dtype=np.float64)
        for batch in plan([len(row) for row in rows], self.device):
            scores[batch] = self._log_probabilities([rows[index] for index in batch]).cpu().numpy()
        return scores

    @torch.inference_mode()
    def _log_probabilities(self, rows: Sequence[Sequence[int]]) -> Tensor:
        ids, mask = pad(rows, self._tokenizer.pad_id)  # [b, s], [b, s]
        ids, mask = ids.to(self.device), None if mask is None else mask.to(self.device)
        logits = self._net(ids, mask).cpu().double()  # [b, labels]
        return logsigmoid(logits) if self.multi_label else log_softmax(logits, dim=1)


def text_of(prompt: Prompt) -> str:
    """What the user says in a prompt: the contents of the user messages, joined by a newline, as in training."""
    return "\n".join(message.content for message in prompt if message.role == "user")
