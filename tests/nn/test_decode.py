"""Writing with a cache, in batches, says what the model says; each row ends where it should."""

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.nn.decode import Decoding, Writer, read, room
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from tests.nn.tiny_lm import DECODERS, END, ENDS, SOURCES, WRITERS, drawn, greedy, writer

NONE: frozenset[int] = frozenset()


def decoding(net: Writer, prompts: list[list[int]], how: Sampling, ends: frozenset[int] = ENDS) -> Decoding:
    return Decoding(net, prompts, how, eos_ids=ends, pad_id=net.arch.pad_id)


@pytest.mark.parametrize("name", WRITERS)
def test_greedy_is_the_loop_without_a_cache(name: str) -> None:
    net = writer(name)
    expected = [greedy(net, prompt, 15, NONE) for prompt in SOURCES]
    assert drawn(decoding(net, SOURCES, Sampling(max_tokens=15), NONE)) == expected
    assert len({tuple(ids) for ids in expected}) > 4  # the prompts are felt


@pytest.mark.parametrize("name", WRITERS)
def test_rows_that_end_early_leave_the_others_as_they_are(name: str) -> None:
    net = writer(name)
    free = [greedy(net, prompt, 15, NONE) for prompt in SOURCES]
    # The end that lets rows stop at as many different steps as can be.
    known = {token for ids in free for token in ids}
    ends = frozenset({max(sorted(known), key=lambda end: len({[*ids, end].index(end) for ids in free}))})
    expected = [greedy(net, prompt, 15, ends) for prompt in SOURCES]
    assert len({len(ids) for ids in expected}) > 2
    made = decoding(net, SOURCES, Sampling(max_tokens=15), ends)
    assert drawn(made) == expected
    assert made.finish == ["stop" if ids[-1] in ends else "length" for ids in expected]
    assert made.step() == []


def test_answers_of_one_prompt_stand_side_by_side() -> None:
    net = writer("llama")
    how = Sampling(temperature=1.5, n=4, max_tokens=6, seed=3)
    together = drawn(decoding(net, SOURCES[:3], how))
    assert len({tuple(ids) for ids in together}) == 12
    assert [drawn(decoding(net, [prompt], how)) for prompt in SOURCES[:3]] == [
        together[:4],
        together[4:8],
        together[8:],
    ]


@pytest.mark.parametrize("name", [*DECODERS, "bart"])
def test_positions_end_the_answer(name: str) -> None:
    net = writer(name)
    long, short = list(range(3, 3 + 59)), [5, 6]
    made = decoding(net, [long, short], Sampling(max_tokens=500), NONE)
    lengths = [len(ids) for ids in drawn(made)]
    assert lengths == ([63, 63] if name == "bart" else [5, 62])
    assert made.finish == ["length", "length"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_prompt_must_leave_room(name: str) -> None:
    net = writer(name)
    with pytest.raises(UserError, match="the prompt is empty"):
        room(net.arch, [], 5)
    longest = net.arch.longest
    fits = longest if isinstance(net, EncoderDecoder) else longest - 1
    assert room(net.arch, [3] * fits, 1) == 1
    with pytest.raises(UserError, match=f"has {fits + 1:,} tokens, and this model reads {longest:,}") as caught:
        room(net.arch, [3] * (fits + 1), 1)
    assert "dragoman models" in caught.value.hint


def test_no_end_before_min_tokens() -> None:
    net = writer("llama")
    wish = Sampling(max_tokens=9, min_tokens=4, logit_bias={END: 100})
    made = decoding(net, SOURCES, wish)
    rows = drawn(made)
    assert [len(ids) for ids in rows] == [5] * len(SOURCES)
    assert all(END not in ids[:4] and ids[4] == END for ids in rows)
    assert set(made.finish) == {"stop"}


def test_a_bias_forbids_and_forces() -> None:
    net = writer("gpt2")
    free = drawn(decoding(net, SOURCES, Sampling(max_tokens=8), NONE))
    often = free[0][0]
    without = drawn(decoding(net, SOURCES, Sampling(max_tokens=8, logit_bias={often: -100}), NONE))
    assert not any(often in ids for ids in without)
    forced = drawn(decoding(net, SOURCES, Sampling(max_tokens=8, temperature=1, logit_bias={often: 100}), NONE))
    assert all(set(ids) == {often} for ids in forced)
    with pytest.raises(UserError, match="names token 290"):
        decoding(net, SOURCES, Sampling(logit_bias={290: 1}))


@pytest.mark.parametrize("name", WRITERS)
def test_told_probabilities_are_those_of_a_whole_forward(name: str) -> None:
    net = writer(name)
    how = Sampling(max_tokens=6, logprobs=5, temperature=0.7, repetition_penalty=1.5, logit_bias={9: 4}, seed=5)
    made = decoding(net, SOURCES, how, NONE)
    told = [[] for _ in SOURCES]
    while written := made.step():
        for one in written:
            told[one.row].append(one)
    for prompt, ones in zip(SOURCES, told, strict=True):
        ids = [one.id for one in ones]
        if isinstance(net, EncoderDecoder):
            logits = net(torch.tensor([prompt]), None, torch.tensor([[net.arch.start_id, *ids[:-1]]]))[0]
        else:
            logits = net(torch.tensor([[*prompt, *ids[:-1]]]))[0, len(prompt) - 1 :]
        log = logits.log_softmax(-1)  # [6, v]
        for place, one in enumerate(ones):
            best = log[place].topk(5)
            assert one.logprob == pytest.approx(log[place, one.id].item(), abs=1e-4)
            assert [number for number, _ in one.top] == best.indices.tolist()
            assert [chance for _, chance in one.top] == pytest.approx(best.values.tolist(), abs=1e-4)


@pytest.mark.parametrize("how", [Sampling(), Sampling(temperature=1), Sampling(temperature=1, top_p=0.9, top_k=5)])
@pytest.mark.parametrize("name", ["llama", "t5"])
def test_weights_that_are_no_numbers_are_one_message(name: str, how: Sampling) -> None:
    net = writer(name)
    inner = net.decoder if isinstance(net, EncoderDecoder) else net
    assert isinstance(inner, Decoder)
    with torch.no_grad():
        inner.blocks[1].feed_forward.down.weight[3, 4] = torch.nan
    made = decoding(net, SOURCES, how)
    with pytest.raises(UserError, match="no next token can be drawn") as caught:
        drawn(made)
    assert "precision=fp32" in caught.value.hint
    assert "\n" not in caught.value.problem


def test_several_tokens_are_read_at_once_after_the_prompt() -> None:
    net = writer("llama")
    more = torch.tensor([[7, 8, 9], [20, 21, 22]])
    reading = read(net, SOURCES[:2], 3, 0)
    together = reading.go_on(more)  # [2, 3, v]
    for row in (0, 1):
        whole = net(torch.tensor([[*SOURCES[row], *more[row].tolist()]]))[0]  # [s, v]
        assert torch.allclose(together[row], whole[-3:], atol=1e-4)
        assert torch.allclose(reading.logits[row], whole[-4], atol=1e-4)


def test_kept_rows_go_on_and_may_be_doubled() -> None:
    net = writer("t5")
    reading = read(net, SOURCES[:3], 4, 0)
    first = reading.logits.clone()
    reading.keep(torch.tensor([2, 0, 2]))
    assert torch.equal(reading.logits, first[[2, 0, 2]])
    after = reading.go_on(torch.tensor([[5], [6], [7]]))[:, 0]  # [3, v]
    for place, (row, token) in enumerate([(2, 5), (0, 6), (2, 7)]):
        alone = net(torch.tensor([SOURCES[row]]), None, torch.tensor([[net.arch.start_id, token]]))[0, -1]
        assert torch.allclose(after[place], alone, atol=1e-4)


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_the_cache_is_allocated_once_and_no_larger_than_it_must(name: str) -> None:
    net = writer(name)
    made = decoding(net, SOURCES, Sampling(max_tokens=9), NONE)
    cache = made._reading.cache
    held = [(layer.keys.data_ptr(), layer.values.data_ptr()) for layer in (*cache.layers, *cache.sources)]
    longest = max(map(len, SOURCES))
    places = 1 + 9 + longest if name == "t5" else longest + 9  # its own and the source's, or one row of both
    assert cache.bytes == 2 * len(cache.layers) * net.arch.groups * net.arch.head_size * places * len(SOURCES) * 4
    drawn(made)
    assert [(layer.keys.data_ptr(), layer.values.data_ptr()) for layer in (*cache.layers, *cache.sources)] == held


def test_rows_that_are_over_cost_nothing_more() -> None:
    net = writer("llama")
    made = decoding(net, SOURCES, Sampling(max_tokens=9), NONE)
    made.step()
    for row in (0, 2, 3, 5):
        made.end(row)
    assert {one.row for one in made.step()} == {1, 4, 6}
    assert len(made._reading.logits) == len(made._reading.cache.layers[0].keys) == 3
    assert made.finish == ["stop", "length", "stop", "stop", "length", "stop", "length"]
