"""Failures that no look at the data shows, planted in the training itself: four rows learnt by heart tell of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from dragoman.core.types import Example, Message
from dragoman.data.check import Finding
from dragoman.nn.store import family_of, fresh_lm
from dragoman.nn.templates import TEMPLATES
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages.check_marks import Reading
from dragoman.stages.check_overfit import overfit
from dragoman.train.doors import How, Kit, Loss
from dragoman.train.fitting import Fitted, Lesson, row_of
from dragoman.train.objectives.sft import Sft
from dragoman.train.tuning.full import Full
from tests.nn.tiny_lm import END, SHAPES, tokens

ROWS = [
    Example((Message("user", f"say {word}"),), (f"{word} it is",), meta={"place": f"rows.jsonl:{n}:1"})
    for n, word in enumerate(("cat", "dog", "sun", "sea", "hen", "owl"))
]
SFT = Sft(pack=False)
READING = Reading(64)
HOW = How(max_length=64, rate=1e-2, device="cpu", precision="fp32", save_seconds=1e9)


@dataclass(frozen=True)
class Planted:
    """An objective around sft with a failure in it, as a plug-in or a collator of somebody may have."""

    needs: ClassVar[tuple[str, ...]] = ()
    failure: Literal["masks by id", "masks nothing", "reads otherwise"]

    def encode(self, net: Any, data: Lesson, kit: Kit) -> Fitted:
        """Every token is to be predicted, or prompts are written as serving does not write them."""
        if self.failure == "reads otherwise":
            turned = [replace(one, prompt=(Message("user", one.prompt[0].content[::-1] * 3),)) for one in data.examples]
            return SFT.encode(net, Lesson(turned), kit)
        made = SFT.encode(net, data, kit)
        if self.failure == "masks nothing":
            whole = tuple(replace(one, labels=row_of([*one.ids[1:], one.labels[-1]])) for one in made.examples)
            return replace(made, examples=whole)
        return made

    def stream(self, net: Any, encoded: Any, kit: Kit, start: int) -> Iterator[Any]:
        """As sft."""
        return SFT.stream(net, encoded, kit, start)

    def loss(self, net: Any, batch: Any, kit: Kit) -> Loss:
        """As sft; padding that is the end token, masked by its id, takes every end with it."""
        if self.failure == "masks by id":
            batch = replace(batch, labels=batch.labels.masked_fill(batch.labels == END, -100))
        return SFT.loss(net, batch, kit)


def learnt(folder: Path, objective: Any, how: How = HOW, steps: int = 80) -> Finding:
    """The one finding of four rows learnt by heart."""
    tokenizer: Tokenizer = tokens("llama", folder, TEMPLATES["instruct"])
    name, config = SHAPES["llama"]
    [found] = overfit(
        fresh_lm(family_of(name).read(config)), tokenizer, objective, Full(), ROWS, how, READING, steps=steps
    )
    return found


def test_a_sound_training_learns_and_stops(tmp_path: Path) -> None:
    found = learnt(tmp_path, Sft())
    assert (found.name, found.severity, found.count) == ("learns-and-stops", "note", 4)


def test_padding_masked_by_id_never_stops(tmp_path: Path) -> None:
    found = learnt(tmp_path, Planted("masks by id"))
    assert (found.name, found.severity, found.count) == ("does-not-stop", "error", 4)


def test_a_rate_that_moves_nothing(tmp_path: Path) -> None:
    found = learnt(tmp_path, Sft(), replace(HOW, rate=1e-7), steps=5)
    assert (found.name, found.severity) == ("does-not-learn", "error")
    assert "1e-07" in found.message


def test_a_prompt_that_is_learnt(tmp_path: Path) -> None:
    assert learnt(tmp_path, Planted("masks nothing")).name == "prompt-learnt"


def test_a_prompt_that_serving_writes_otherwise(tmp_path: Path) -> None:
    found = learnt(tmp_path, Planted("reads otherwise"))
    assert (found.name, found.severity) == ("answers-otherwise", "error")


def test_rows_of_which_nothing_can_be_learnt(tmp_path: Path) -> None:
    tokenizer, (name, config) = tokens("llama", tmp_path, TEMPLATES["instruct"]), SHAPES["llama"]
    silent = [replace(one, answers=(" ",)) for one in ROWS]
    [found] = overfit(fresh_lm(family_of(name).read(config)), tokenizer, SFT, Full(), silent, HOW, READING)
    assert found.name == "labels-all-masked"
