"""The objective of answers in a context: the right tokens are the target, in every window, and it learns."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Example, Message
from dragoman.models.extractor import LocalExtractor
from dragoman.nn.encoder import fresh_encoder, initialise
from dragoman.nn.heads import Extractor, TokenHead
from dragoman.nn.questions import Pairing
from dragoman.nn.tokenizer import Tokenizer
from dragoman.train.batching import parts
from dragoman.train.doors import Encoded, How, Kit
from dragoman.train.loop import begin, fit
from dragoman.train.objectives.extract import Extract
from dragoman.train.rows import fold
from dragoman.train.tuning.full import Full
from tests.nn.tiny import ARCHES, tokenizer

ARCH = replace(ARCHES["bert"], width=32, feed_forward=64, layers=2, dropout=0.0, attention_dropout=0.0, initial_std=0.2)
HOW = How(epochs=12, rate=1e-2, batch=8, precision="fp32", device="cpu", max_length=24, patience=0)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return tokenizer("bert", tmp_path_factory.mktemp("tokens"))


def net() -> Extractor:
    found = Extractor(fresh_encoder(ARCH, 0), TokenHead(ARCH, 2))
    initialise(found.head, 0.05, 1)
    return found.eval()


def row(context: str, question: str, answer: str, start: int | None = None, **meta: Any) -> Example:
    starts = [] if start is None else [start]
    prompt = (Message("user", f"{context}\n\n{question}"),)
    return Example(prompt, (answer,) if answer else (), meta={"starts": starts, **meta})


def shown(encoded: Encoded, number: int, words: Tokenizer) -> list[str]:
    """The tokens that are the target of a row."""
    first, last = encoded.targets[number].tolist()
    return words.tokens(encoded.ids[number])[first : last + 1]


def rows() -> list[Example]:
    """What sat is asked for, and stands on either side."""
    found = []
    for number in range(24):
        who, other = ("cat", "dog")[:: 1 if number % 2 else -1]
        context = f"the {who} sat . the {other} ran" if number % 3 else f"the {other} ran . the {who} sat"
        found.append(row(context, "sat", who, context.index(who)))
    return found


def test_the_tokens_of_the_answer_are_the_target(words: Tokenizer) -> None:
    context = "the cat and the cats ran fast!"
    examples = [row(context, "a dog", "the cats", 12), row(context, "a dog", "at", 5), row(context, "a", "fast!")]
    encoded = Extract().encode(net(), examples, Kit(HOW, words))
    assert shown(encoded, 0, words) == ["the", "cat", "##s"]
    assert shown(encoded, 1, words) == ["cat"]  # an answer inside of a token is the whole token
    assert shown(encoded, 2, words) == ["fast", "!"]
    assert encoded.weights.tolist() == [1.0, 1.0, 1.0]


def test_windows_without_the_answer_point_at_the_first_token(words: Tokenizer) -> None:
    context = "the dog ran fast on the mat . " * 5 + "a cat sat"
    example = row(context, "a dog", "a cat", context.index("a cat"), id="far")
    encoded = Extract().encode(net(), [example], Kit(HOW, words))
    assert len(encoded.ids) > 2
    held = [number for number, target in enumerate(encoded.targets.tolist()) if target != [0, 0]]
    assert held == [len(encoded.ids) - 1]
    assert shown(encoded, held[0], words) == ["a", "cat"]
    assert encoded.names[:2] == ("far", "far part 2")
    assert Extract(empty_weight=0.25).encode(net(), [example], Kit(HOW, words)).weights.tolist()[0] == 0.25
    alone = Extract(empty_weight=0.0).encode(net(), [example], Kit(HOW, words))
    assert len(alone.ids) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no examples"),
        ([row("the cat sat", "who", "")], "has no answer"),
        ([row("the cat sat", "who", "dog")], "does not stand in its context"),
        ([row("the cat sat", "who", "cat", 5)], "does not stand at character 5"),
        ([Example((Message("user", "the cat sat"),), ("cat",))], "an empty line and the question"),
        ([row("the cat sat " * 30, "who", ("the cat sat " * 30).strip(), 0)], "no window holds a whole answer"),
    ],
)
def test_what_cannot_be_learnt_is_refused(given: list[Example], said: str, words: Tokenizer) -> None:
    with pytest.raises(UserError, match=said):
        Extract().encode(net(), given, Kit(HOW, words))


def test_the_loss_is_the_mean_of_two_choices_among_the_context(words: Tokenizer) -> None:
    kit, model = Kit(HOW, words), net()
    examples = [*rows()[:3], row("the dog ran and ran and ran fast", "a cat", "dog", 4)]
    encoded = Extract().encode(model, examples, kit)
    (whole,) = parts(encoded, np.arange(4), kit)
    types = Pairing.of(words, ARCH).second(whole.ids)
    assert types is not None
    expected = 0.0
    for number, ids in enumerate(encoded.ids):  # alone, without padding
        logits = model(torch.tensor([ids]), None, types[number : number + 1, : len(ids)])[0].detach()
        first = list(ids).index(3) + 1
        open_places = [0, *range(first, len(ids) - 1)]
        for side in (0, 1):
            target = open_places.index(int(encoded.targets[number, side]))
            expected -= float(logits[open_places, side].log_softmax(0)[target]) / 2
    assert abs(float(Extract().loss(model, whole, kit).total.detach()) - expected) < 1e-4
    cut = parts(encoded, np.arange(4), replace(kit, how=replace(HOW, accumulation=4)))
    assert abs(sum(float(Extract().loss(model, one, kit).total.detach()) for one in cut) - expected) < 1e-4


def test_it_learns(words: Tokenizer) -> None:
    training = begin(net(), words, Extract(), Full(), rows(), HOW)
    losses = [step.loss for step in fit(training)]
    assert losses[-1] < 0.3 * losses[0]
    fold(training.net)
    model = LocalExtractor(training.net, words, max_length=HOW.max_length)
    said = model.generate([one.prompt for one in rows()], Sampling())
    assert sum(one.text == row.answers[0] for one, row in zip(said, rows(), strict=True)) >= 22


def test_a_wrong_setting() -> None:
    with pytest.raises(UserError, match="empty_weight"):
        Extract(empty_weight=-1.0)
