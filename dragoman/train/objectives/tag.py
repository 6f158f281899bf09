"""Words into tags: cross-entropy on the first token of each word, every word of a step counting the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dragoman.core.errors import UserError
from dragoman.core.types import Example
from dragoman.train.doors import Batch, Encoded, Kit, Loss

if TYPE_CHECKING:
    from dragoman.nn.heads import Tagger

__all__ = ["Tag"]

IGNORED = -100


@dataclass(frozen=True)
class Tag:
    """The tags are the net's own. A long text is learnt in windows that overlap, each word in one of them."""

    needs: ClassVar[tuple[str, ...]] = ()

    label_smoothing: float = 0.0
    "The share of the target that is spread over all tags (Szegedy et al. 2015)."

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise UserError(f"label_smoothing cannot be {self.label_smoothing}", "it must be at least 0 and below 1")

    def encode(self, net: Tagger, examples: Sequence[Example], kit: Kit) -> Encoded:
        """Each window a row of token ids, its targets a tag on the first token of each word and -100 elsewhere.

        Raises UserError at an empty set, where tags and words are not equally many, and at an unknown tag.
        """
        import torch

        from dragoman.nn.words import read_words

        if not examples:
            raise UserError("there are no examples to learn from", "look at the data with: dragoman check")
        names: list[str] = []
        rows: list[tuple[int, ...]] = []
        found: list[tuple[tuple[int, ...], list[int]]] = []
        place = {label: number for number, label in enumerate(net.labels)}
        readings = read_words(kit.tokenizer, [example.text for example in examples], kit.how.max_length)
        for number, (example, windows) in enumerate(zip(examples, readings, strict=True)):
            name = str(example.meta.get("id", f"row {number}"))
            tags = _numbers(example, name, place)
            for part, reading in enumerate(windows):
                if not reading.words:
                    continue
                names.append(f"{name} part {part + 1}" if part else name)
                rows.append(reading.ids)
                found.append((reading.places, [tags[word] for word in reading.words]))
        if not rows:
            raise UserError("no text has a word to learn a tag of", "look at the data with: dragoman check")
        # Rows of one length, since a row of the feed is a row of a tensor; two bytes a token, since tags are few.
        targets = torch.full((len(rows), max(map(len, rows))), IGNORED, dtype=torch.int16)
        for row, (places, said) in enumerate(found):
            targets[row, list(places)] = torch.tensor(said, dtype=torch.int16)
        return Encoded(tuple(names), rows, targets, (targets != IGNORED).sum(1).float())

    def stream(self, net: Tagger, encoded: Encoded, kit: Kit, start: int) -> Iterator[tuple[Batch, ...]]:
        """The batches of each step, of windows of like length."""
        import numpy as np

        from dragoman.train.batching import parts, stream_rows

        lengths = np.array([len(ids) for ids in encoded.ids])
        for rows in stream_rows(lengths, kit.how.batch, kit.how.seed, start):
            yield parts(encoded, rows, kit)

    def loss(self, net: Tagger, batch: Batch, kit: Kit) -> Loss:
        """The sum over all words with a tag: divided by their number in the whole step, each counts the same."""
        from torch.nn import functional

        logits = net(batch.ids, batch.mask).float()  # [b, s, labels]
        targets = batch.targets[:, : logits.shape[1]].long()  # [b, s]
        total = functional.cross_entropy(
            logits.flatten(0, 1),
            targets.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        return Loss(total)


def _numbers(example: Example, name: str, place: dict[str, int]) -> list[int]:
    """The number of each word's tag."""
    from dragoman.nn.words import words_of

    words = len(words_of(example.text))
    if len(example.answers) != words:
        raise UserError(
            f"example {name} has {words} words and {len(example.answers)} tags",
            "give one tag for each word; look at the data with: dragoman check",
        )
    unknown = [tag for tag in example.answers if tag not in place]
    if unknown:
        raise UserError(
            f"example {name} has the tag '{unknown[0]}', which the model does not have",
            f"it has {', '.join(place)}; set scope.labels to all tags of the data",
        )
    return [place[tag] for tag in example.answers]
