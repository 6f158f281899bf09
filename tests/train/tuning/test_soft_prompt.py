"""A soft prompt is read as words are, learns alone, and stands once in front of every text and of every answer."""

from pathlib import Path

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.encdec import EncoderDecoder
from dragoman.train.tuning.soft_prompt import SoftPrompt
from tests.nn.tiny_lm import WRITERS, tokens, writer
from tests.train.small import net as classifier
from tests.train.tuning.writing import answers_anew, learn_a_little, reads_alone, resumed

WORDS = (7, 9, 30)
IDS = torch.tensor([[5, 9, 30, 3, 77, 120, 4, 8, 9], [60, 61, 7, 3, 1, 88, 200, 12, 40]])
TARGETS = torch.tensor([[0, 8, 9, 10], [0, 44, 45, 46]])


@pytest.mark.parametrize("name", WRITERS)
def test_vectors_of_words_say_what_the_words_say(name: str) -> None:
    plain, net = writer(name), SoftPrompt(tokens=3, begin=WORDS).apply(writer(name), 0)
    behind = torch.cat((torch.tensor([WORDS, WORDS]), IDS), dim=1)
    with torch.no_grad():
        if isinstance(net, EncoderDecoder):
            assert torch.allclose(net(IDS, None, TARGETS), plain(behind, None, TARGETS), atol=1e-5)
        else:
            assert torch.allclose(net(IDS), plain(behind)[:, 3:], atol=1e-5)
    assert sum(weight.numel() for weight in net.parameters() if weight.requires_grad) == 3 * 32


@pytest.mark.parametrize("name", WRITERS)
def test_packed_and_padded_texts_read_as_if_alone(name: str) -> None:
    reads_alone(SoftPrompt(tokens=3).apply(writer(name), 0))


@pytest.mark.parametrize("name", ["llama", "gemma3", "t5"])
def test_answers_are_those_of_the_whole_text_read_anew(name: str, tmp_path: Path) -> None:
    answers_anew(SoftPrompt(tokens=4), name, tmp_path)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["clm", "span"])
def test_the_vectors_alone_learn(kind: str, precision: str) -> None:
    losses, moved = learn_a_little(SoftPrompt(tokens=4), kind, precision)
    assert losses[-1] < losses[0] - 0.02
    assert moved == ({"front.vectors"} if kind == "clm" else {"encoder.front.vectors"})


def test_a_killed_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    resumed(SoftPrompt(tokens=2), tmp_path)


def test_blocks_that_are_computed_again_give_the_same_gradient() -> None:
    found = []
    for again in (False, True):
        net = SoftPrompt(tokens=2, begin=WORDS).apply(writer("llama"), 0)
        net.recompute = again
        net(IDS).square().sum().backward()
        found.append(net.front.vectors.grad)
    assert torch.allclose(found[0], found[1], rtol=1e-4)


def test_where_it_begins() -> None:
    net = writer("gpt2")
    table = net.embeddings.words.weight.detach().clone()
    held = SoftPrompt(tokens=4, begin=(7, 9, 30)).apply(net, 0).front.vectors
    assert torch.equal(held, table[[7, 9, 30, 7]])
    drawn = [SoftPrompt(tokens=4).apply(writer("gpt2"), seed).front.vectors for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_text_to_begin_from(tmp_path: Path) -> None:
    tokenizer = tokens("gpt2", tmp_path)
    made = SoftPrompt(text="the hill").begun(tokenizer)
    assert made == SoftPrompt(begin=tuple(tokenizer.plain(["the hill"])[0]))
    assert made.begun(tokenizer) == made
    with pytest.raises(UserError, match="no words"):
        SoftPrompt(text=" ").begun(tokenizer)
    with pytest.raises(UserError, match="both tuning"):
        SoftPrompt(text="the hill", begin=(3,))


def test_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="tokens cannot be 0"):
        SoftPrompt(tokens=0)
    with pytest.raises(UserError, match="no token 999"):
        SoftPrompt(begin=(999,)).apply(writer("gpt2"), 0)
    with pytest.raises(UserError, match="leave no room"):
        SoftPrompt(tokens=64).apply(writer("gpt2"), 0)
    with pytest.raises(UserError, match="models that write"):
        SoftPrompt().apply(classifier(), 0)
    net = SoftPrompt(tokens=60).apply(writer("gpt2"), 0)
    with pytest.raises(UserError, match="positions for 4"):
        net(IDS)
    with pytest.raises(UserError, match="positions for 4"):
        net(IDS, segments=torch.tensor([[0] * 5 + [1] * 4, [0] * 9]))


def test_merging_leaves_the_net_as_it_is() -> None:
    net = SoftPrompt(tokens=2).apply(writer("llama"), 0)
    assert SoftPrompt(tokens=2).merge(net) is net
    assert not SoftPrompt.merges
