"""Beams find better answers than greed, best first, and a beam of one is greed."""

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.nn.beam import search
from dragoman.nn.decode import Writer
from dragoman.nn.encdec import EncoderDecoder
from tests.nn.tiny_lm import ENDS, SOURCES, WRITERS, greedy, writer

NONE: frozenset[int] = frozenset()


@torch.no_grad()
def log_probability(net: Writer, prompt: list[int], ids: list[int]) -> float:
    """Of an answer, the whole of it read at once."""
    if isinstance(net, EncoderDecoder):
        logits = net(torch.tensor([prompt]), None, torch.tensor([[net.arch.start_id, *ids[:-1]]]))[0]
    else:
        logits = net(torch.tensor([[*prompt, *ids[:-1]]]))[0, len(prompt) - 1 :]
    return float(logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None]).sum())


@pytest.mark.parametrize("name", WRITERS)
def test_one_beam_is_greedy(name: str) -> None:
    net = writer(name)
    for prompt in SOURCES[:3]:
        [(ids, ended)] = search(net, prompt, Sampling(max_tokens=8), ENDS, 0)
        assert ids == greedy(net, prompt, 8)
        assert ended == (ids[-1] in ENDS)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("power", [0.0, 1.0])
def test_the_best_come_first_by_their_own_probability(name: str, power: float) -> None:
    net = writer(name)
    how = Sampling(max_tokens=6, beams=5, length_penalty=power)
    for prompt in SOURCES[:3]:
        found = search(net, prompt, how, frozenset(range(2, 60)), 0)
        scores = [log_probability(net, prompt, ids) / len(ids) ** power for ids, _ in found]
        assert len(found) == len({tuple(ids) for ids, _ in found}) == 5
        assert scores == pytest.approx(sorted(scores, reverse=True), abs=1e-5)
        assert all(ended == (ids[-1] in range(2, 60)) and (ended or len(ids) == 6) for ids, ended in found)


def test_as_many_beams_as_beginnings_find_the_best_there_is() -> None:
    net = writer("llama")
    how = Sampling(max_tokens=2, beams=64)
    [(best, _), *_] = search(net, SOURCES[0], how, NONE, 0)
    first = net(torch.tensor([SOURCES[0]]))[0, -1].log_softmax(-1)  # [v]
    both = net(torch.tensor([[*SOURCES[0], token] for token in range(290)]))[:, -1].log_softmax(-1)  # [v, v]
    total = first[:, None] + both  # [v, v]
    assert best == list(divmod(int(total.argmax()), 290))


def test_no_beam_ends_before_min_tokens() -> None:
    net = writer("bart")
    ends = frozenset(range(100, 290))
    found = search(net, SOURCES[0], Sampling(max_tokens=9, min_tokens=4, beams=3), ends, 1)
    assert all(len(ids) >= 5 and ends.isdisjoint(ids[:4]) for ids, _ in found)


def test_a_vocabulary_smaller_than_the_beams_is_enough() -> None:
    net = writer("llama")
    with torch.no_grad():
        net.head.weight[4:] = 0  # four tokens are wanted, and no other ever comes near
        net.head.weight[:4] *= 50
    found = search(net, SOURCES[0], Sampling(max_tokens=3, beams=8), NONE, 0)
    assert len({tuple(ids) for ids, _ in found}) == 8


def test_what_beams_cannot_keep_is_said() -> None:
    net = writer("t5")
    for how in (
        Sampling(beams=2, logit_bias={5: 1}),
        Sampling(beams=2, frequency_penalty=1),
        Sampling(beams=2, presence_penalty=1),
        Sampling(beams=2, repetition_penalty=1.2),
    ):
        with pytest.raises(UserError, match="beam search does not go with") as caught:
            search(net, SOURCES[0], how, ENDS, 0)
        assert "beams=1" in caught.value.hint


def test_weights_that_are_no_numbers_are_one_message() -> None:
    net = writer("t5")
    with torch.no_grad():
        net.decoder.norm.weight[0] = torch.nan
    with pytest.raises(UserError, match="no next token can be drawn"):
        search(net, SOURCES[0], Sampling(beams=3), ENDS, 0)
    with pytest.raises(UserError, match="the prompt is empty"):
        search(net, [], Sampling(beams=3), ENDS, 0)


def test_an_end_that_the_model_cannot_write_is_none() -> None:
    how = Sampling(max_tokens=6, min_tokens=3, beams=2)
    assert search(writer("llama"), SOURCES[0], how, ENDS | {290, 100_000}, 0) == search(
        writer("llama"), SOURCES[0], how, ENDS, 0
    )
