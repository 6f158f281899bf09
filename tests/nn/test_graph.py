"""The step that a GPU replays is the ordinary step: places to come are hidden, whatever lies in them."""

import pytest
import torch

from dragoman.core.sampling import Sampling
from dragoman.nn.decode import Decoding, Writer, read
from dragoman.nn.graph import Graph
from tests.nn.tiny_lm import SOURCES, WRITERS, drawn, writer

STEPS = torch.tensor([[5, 9, 41, 7], [8, 100, 3, 3], [66, 12, 9, 250]])


def ordinary(net: Writer, rows: int = 3) -> list[torch.Tensor]:
    reading = read(net, SOURCES[:rows], 5, 0)
    return [reading.go_on(STEPS[:rows, [step]])[:, 0] for step in range(4)]


@pytest.mark.parametrize("rows", [1, 3], ids=["full", "padded"])
@pytest.mark.parametrize("name", WRITERS)
def test_the_whole_cache_gives_the_same_logits(name: str, rows: int) -> None:
    net = writer(name)
    reading = read(net, SOURCES[:rows], 5, 0)
    with torch.inference_mode():
        for layer in reading.cache.layers:  # what was never written must not be seen
            layer.keys[:, :, layer.length :] = 1e4
            layer.values[:, :, layer.length :] = 1e4
    graph = Graph(reading)
    for step, expected in enumerate(ordinary(net, rows)):
        assert torch.allclose(graph(STEPS[:rows, step]), expected, atol=2e-5)


@pytest.mark.parametrize("name", WRITERS)
def test_rows_are_dropped_between_two_graphs(name: str) -> None:
    net = writer(name)
    expected = ordinary(net)
    reading = read(net, SOURCES[:3], 5, 0)
    graph = Graph(reading)
    for step in (0, 1):
        assert torch.allclose(graph(STEPS[:, step]), expected[step], atol=2e-5)
    kept = torch.tensor([2, 0])
    reading.keep(kept)
    graph = Graph(reading)
    for step in (2, 3):
        assert torch.allclose(graph(STEPS[kept, step]), expected[step][kept], atol=2e-5)


@pytest.mark.parametrize("name", WRITERS)
def test_a_batch_written_by_graphs_says_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop of Decoding as it runs on a GPU, rows that end and all."""
    net = writer(name)
    how, ends = Sampling(temperature=1, seed=3, max_tokens=10), frozenset(range(2, 290, 7))

    def start() -> Decoding:
        return Decoding(net, SOURCES, how, eos_ids=ends, pad_id=0)

    expected = drawn(start())
    made = start()
    made._graph = Graph(made._reading)
    assert drawn(made) == expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")
@pytest.mark.parametrize("name", WRITERS)
def test_a_recorded_step_is_the_ordinary_one(name: str) -> None:
    net = writer(name).cuda()
    how, ends = Sampling(temperature=1, seed=3, max_tokens=10), frozenset(range(2, 290, 7))
    plain = read(net, SOURCES[:3], 5, 0)
    reading = read(net, SOURCES[:3], 5, 0)
    graph = Graph(reading)
    for step in range(4):
        ids = STEPS[:, step].cuda()
        assert torch.allclose(graph(ids), plain.go_on(ids[:, None])[:, 0], atol=1e-3)
    together = drawn(Decoding(net, SOURCES, how, eos_ids=ends, pad_id=0))
    alone = [drawn(Decoding(net, [prompt], how, eos_ids=ends, pad_id=0))[0] for prompt in SOURCES]
    assert together == alone
