"""The tagging objective: the first token of a word carries its tag, every word counts the same, and it learns."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Example, Message
from dragoman.models.tagger import LocalTagger
from dragoman.nn.encoder import fresh_encoder, initialise
from dragoman.nn.heads import Tagger, TokenHead
from dragoman.nn.tokenizer import Tokenizer
from dragoman.train.batching import parts
from dragoman.train.doors import How, Kit
from dragoman.train.loop import begin, fit
from dragoman.train.objectives.tag import Tag
from dragoman.train.rows import fold
from dragoman.train.tuning.full import Full
from dragoman.train.tuning.head import Head
from dragoman.train.tuning.lora import Lora
from tests.nn.tiny import ARCHES, tokenizer

TAGS = ("O", "B-animal", "I-animal")
ARCH = replace(ARCHES["bert"], width=16, feed_forward=32, layers=2, dropout=0.0, attention_dropout=0.0, initial_std=0.3)
HOW = How(epochs=8, rate=1e-2, batch=8, precision="fp32", device="cpu", max_length=20, patience=0)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return tokenizer("bert", tmp_path_factory.mktemp("tokens"))


def net(head_dropout: float = 0.0) -> Tagger:
    found = Tagger(fresh_encoder(ARCH, 0), TokenHead(ARCH, len(TAGS), head_dropout), TAGS)
    initialise(found.head, 0.05, 1)
    return found.eval()


def row(text: str, *tags: str) -> Example:
    return Example((Message("user", text),), tags)


def rows() -> list[Example]:
    found = []
    for number in range(24):
        animal = ("cat", "dog", "cats ran"[: 4 + 4 * (number % 2)])[number % 3]
        text = f"{('the', 'a')[number % 2]} {animal} sat on the mat"
        tags = ["O", "B-animal", *["O"] * (len(text.split(" ")) - 2)]
        found.append(row(text, *tags))
    return found


def test_the_first_token_of_each_word_carries_its_tag(words: Tokenizer) -> None:
    encoded = Tag().encode(net(), [row("the cats ran", "O", "B-animal", "O"), row("dog", "I-animal")], Kit(HOW, words))
    assert words.tokens(encoded.ids[0]) == ["[CLS]", "the", "cat", "##s", "ran", "[SEP]"]
    assert encoded.targets.tolist() == [[-100, 0, 1, -100, 0, -100], [-100, 2, -100, -100, -100, -100]]
    assert encoded.weights.tolist() == [3.0, 1.0]
    assert encoded.names == ("row 0", "row 1")
    assert encoded.cut == 0


def test_a_long_text_is_learnt_in_windows(words: Tokenizer) -> None:
    text = " ".join(["the cats ran"] * 12)
    encoded = Tag().encode(net(), [row(text, *["O", "B-animal", "O"] * 12)], Kit(HOW, words))
    assert len(encoded.ids) == 4
    assert all(len(ids) <= 20 for ids in encoded.ids)
    assert encoded.weights.sum() == 36  # each word once
    assert encoded.names[:2] == ("row 0", "row 0 part 2")


def test_what_gives_no_token_is_not_learnt(words: Tokenizer) -> None:
    examples = [row("\u200d", "B-animal"), row("a \u200d dog", "O", "O", "B-animal")]
    encoded = Tag().encode(net(), examples, Kit(HOW, words))
    assert encoded.names == ("row 1",)
    assert encoded.weights.tolist() == [2.0]
    with pytest.raises(UserError, match="no text has a word"):
        Tag().encode(net(), examples[:1], Kit(HOW, words))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no examples"),
        ([row("the cat", "O")], "2 words and 1 tags"),
        ([row("the cat", "O", "B-plant")], "tag 'B-plant', which the model does not have"),
    ],
)
def test_what_cannot_be_learnt_is_refused(given: list[Example], said: str, words: Tokenizer) -> None:
    with pytest.raises(UserError, match=said):
        Tag().encode(net(), given, Kit(HOW, words))


def test_the_loss_is_cross_entropy_over_the_words(words: Tokenizer) -> None:
    import numpy as np

    kit, model = Kit(HOW, words), net()
    encoded = Tag().encode(model, rows()[:5], kit)
    (whole,) = parts(encoded, np.arange(5), kit)
    logits = model(whole.ids, whole.mask)
    targets = encoded.targets[:, : whole.ids.shape[1]].long()
    for smoothing in (0.0, 0.2):
        right = torch.nn.functional.cross_entropy(
            logits[targets != -100], targets[targets != -100], label_smoothing=smoothing
        )
        total = Tag(smoothing).loss(model, whole, kit).total
        assert torch.allclose(total / whole.weight, right, rtol=1e-5)
    # Cut into parts a step is the same step: the sums and the weights add up, though the parts have other widths.
    cut = parts(encoded, np.arange(5), replace(kit, how=replace(HOW, accumulation=3)))
    assert torch.allclose(sum(Tag().loss(model, one, kit).total for one in cut), Tag().loss(model, whole, kit).total)
    assert sum(one.weight for one in cut) == whole.weight


@pytest.mark.parametrize("tuning", [Full(), Lora(rank=4), Head()])
def test_it_learns(tuning: Full | Lora | Head, words: Tokenizer) -> None:
    training = begin(net(), words, Tag(), tuning, rows(), HOW)
    losses = [step.loss for step in fit(training)]
    assert losses[-1] < (0.8 if isinstance(tuning, Head) else 0.3) * losses[0]
    fold(training.net)
    plain = tuning.merge(training.net).eval()
    logits = plain(torch.tensor(words.encode(["a dog ran"], 20)))
    assert logits.shape == (1, 5, 3)
    if isinstance(tuning, Full):
        assert logits[0, 1:4].argmax(1).tolist() == [0, 1, 0]
        said = LocalTagger(plain, words, max_length=20).generate([one.prompt for one in rows()], Sampling())
        assert [tuple(one.text.split(" ")) for one in said] == [one.answers for one in rows()]
        assert isinstance(plain.encoder.embeddings.words, torch.nn.Embedding)  # the learnt rows are back in their table


def test_a_wrong_setting() -> None:
    with pytest.raises(UserError, match="label_smoothing"):
        Tag(label_smoothing=1.0)


def test_a_file_of_ours_opens_after_training(words: Tokenizer, tmp_path: Path) -> None:
    from dragoman.nn.headed import load_tagger, save_tagger

    training = begin(net(), words, Tag(), Full(), rows(), replace(HOW, epochs=1))
    list(fit(training))
    fold(training.net)
    save_tagger(training.net, words, tmp_path / "model")
    ids = torch.tensor(words.encode(["a dog ran"], 20))
    with torch.no_grad():
        assert torch.equal(load_tagger(tmp_path / "model")(ids), training.net.eval()(ids))
