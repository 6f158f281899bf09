"""What reads a question and a passage together and says how well the one answers the other: a cross-encoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dragoman.core.errors import UserError
from dragoman.models.device import Precision, choose_device
from dragoman.models.encoder import plan
from dragoman.models.rewards import Named
from dragoman.models.source import resolve
from dragoman.nn.padding import pad
from dragoman.nn.questions import Pairing
from dragoman.nn.scorer import Scorer, load_scorer
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["CrossEncoder", "open_cross_encoder"]

LONGEST = 512  # tokens where neither the folder nor the positions say
TRAIN = "learn one from pairs: dragoman write questions.jsonl index=index.sqlite, then dragoman train objective=reward"


class CrossEncoder:
    """A scorer of `nn` that reads pairs of texts, question first (Nogueira and Cho, 2019).

    A question may take half of the row at the most; a passage is cut on the right to what is left.
    """

    def __init__(
        self,
        net: Scorer,
        tokenizer: Tokenizer,
        *,
        device: torch.device | None = None,
        half: bool = False,
        max_length: int = 0,
    ) -> None:
        """Take over `net` (it is moved and, with `half`, cast to bf16); `max_length` is of a whole row.

        Raises UserError where it is no encoder, its tokenizer does not say how two texts stand in one row, or
        max_length exceeds its positions or leaves no room for a word of each text.
        """
        if net.arch.kind != "encoder":
            raise UserError(
                "this model writes, and a question and a passage are read by an encoder",
                "name another one, or leave it out: rerank=FOLDER",
            )
        if max_length:
            net.arch.require(max_length)
        self.device = device or torch.device("cpu")
        self.max_length = max_length or min(tokenizer.max_length or LONGEST, net.arch.longest)
        self._tokenizer = tokenizer
        self._pairing = Pairing.of(tokenizer, net.arch)
        around = (self._pairing.before, self._pairing.between, self._pairing.after)
        self._room = self.max_length - sum(map(len, around))
        if self._room < 2:
            raise UserError(
                f"{self.max_length} tokens leave no room for a question and a passage",
                "train it with more room: train.max_length=256",
            )
        self._net = net.to(self.device, torch.bfloat16 if half else torch.float32).eval()

    def rate(self, questions: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
        """How well each text answers the question beside it, of shape [n]; higher is better, and no probability."""
        rows = self._rows(questions, texts)
        scores = np.empty(len(rows), dtype=np.float64)
        for batch in plan([len(row) for row in rows], self.device):
            scores[batch] = self._scores([rows[index] for index in batch])
        return scores

    def cut(self, questions: Sequence[str], texts: Sequence[str]) -> int:
        """How many of the pairs are too long, so that one of the two loses its end."""
        asked, told = self._tokenizer.plain(questions), self._tokenizer.plain(texts)
        return sum(len(one) + len(other) > self._room for one, other in zip(asked, told, strict=True))

    def _rows(self, questions: Sequence[str], texts: Sequence[str]) -> list[list[int]]:
        """Each pair as one row of tokens."""
        known = dict(zip(dict.fromkeys(questions), self._tokenizer.plain(list(dict.fromkeys(questions))), strict=True))
        before, between, after = self._pairing.before, self._pairing.between, self._pairing.after
        rows = []
        for question, text in zip(questions, self._tokenizer.plain(texts), strict=True):
            asked = known[question][: max(self._room // 2, self._room - len(text))]
            rows.append([*before, *asked, *between, *text[: self._room - len(asked)], *after])
        return rows

    @torch.inference_mode()
    def _scores(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        ids, mask = pad(rows, self._tokenizer.pad_id)  # [b, s] each
        types = self._pairing.second(ids)  # [b, s]
        there = [None if one is None else one.to(self.device) for one in (mask, types)]
        found: NDArray[np.float64] = self._net(ids.to(self.device), *there).double().cpu().numpy()  # [b]
        return found


def open_cross_encoder(
    spec: str | Path, device: str = "auto", precision: Precision = "auto", runs: Path | None = None
) -> CrossEncoder:
    """The cross-encoder in a folder or behind a name: trained here, or published as a sequence classifier of one label.

    A run is found by its folder or, where `runs` is given, by its name. `auto` is fp32. Raises UserError as `resolve`
    and `nn.scorer.load_scorer`, and where the folder holds no such model.
    """
    folder = resolve(Named("", str(spec)).folder(runs))
    net = load_scorer(folder)
    if net.fresh:
        raise UserError(f"{folder} holds no model that rates passages", TRAIN)
    tokenizer = Tokenizer(folder)
    tokenizer.fit(net.arch)
    return CrossEncoder(net, tokenizer, device=choose_device(device), half=precision == "bf16")
