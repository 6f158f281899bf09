"""A document in a packed row is the document alone: its states, its loss, its gradients, in every kind of net."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.masked import MaskedLM
from dragoman.nn.store import LanguageModel, build_lm
from tests.nets import DECODERS, MASKED, READERS, close, decoder, shape, some, two_stacks
from tests.nn.tiny import amplify

LENGTHS = (7, 1, 12, 4)
ROWS = (LENGTHS, (24,), (2, 2, 20))
ALL = (*DECODERS, *MASKED, *READERS)


def net_of(name: str) -> LanguageModel:
    if name in READERS:
        return two_stacks(name)
    if name in MASKED:
        net = amplify(build_lm(shape(name))).eval()
        assert isinstance(net, MaskedLM)
        return net
    return decoder(name)


def numbered(rows: tuple[tuple[int, ...], ...]) -> Tensor:
    """Which document each token belongs to; neither in order nor from 0."""
    return torch.stack(
        [torch.cat([torch.full((length,), 9 - 2 * at) for at, length in enumerate(row)]) for row in rows]
    )


def packed(net: LanguageModel, ids: Tensor, targets: Tensor, segments: Tensor | None) -> Tensor:
    if isinstance(net, EncoderDecoder):
        return net.states(ids, None, targets, segments=segments, target_segments=segments)
    return net.states(ids, segments=segments)


def alone(net: LanguageModel, ids: Tensor, targets: Tensor, rows: tuple[tuple[int, ...], ...]) -> Tensor:
    """The same states, each document a text of its own."""
    found = []
    for row, said, lengths in zip(ids, targets, rows, strict=True):
        parts = zip(row.split(list(lengths)), said.split(list(lengths)), strict=True)
        found.append(torch.cat([packed(net, one[None], two[None], None)[0] for one, two in parts]))
    return torch.stack(found)


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_a_packed_document_is_the_document_alone(name: str, one_by_one: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if one_by_one:
        monkeypatch.setattr("dragoman.nn.segments._LONG", 8)
    net, ids, targets, segments = net_of(name), some(3, 24), some(3, 24, 1), numbered(ROWS)
    rows = ROWS
    if one_by_one:  # where more than half of the square is hidden
        rows, segments = (LENGTHS, (2, 2, 20), LENGTHS), numbered((LENGTHS, (2, 2, 20), LENGTHS))
    with torch.no_grad():
        rough = 5 if name == "t5 gated" else 1  # amplified, it is off by 3e-5 to 2e-4 from itself in float64 either way
        assert close(packed(net, ids, targets, segments), alone(net, ids, targets, rows), rough * 1e-5)
        exact = copy.deepcopy(net).double()
        assert close(packed(exact, ids, targets, segments), alone(exact, ids, targets, rows), 1e-11)


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "gemma3_text", "alibi", "bert", "t5", "bart"])
def test_the_loss_and_gradients_of_a_packed_batch_are_those_of_its_documents(name: str) -> None:
    ids, targets, labels = some(3, 24), some(3, 24, 1), some(3, 24, 2)
    segments = numbered(ROWS)
    sums, moves = [], []
    for read in (packed, alone):
        net = copy.deepcopy(net_of(name))
        states = read(net, ids, targets, segments if read is packed else ROWS)  # type: ignore[operator]
        loss = cross_entropy(net.predict(states).flatten(0, 1), labels.flatten(), reduction="sum")
        loss.backward()
        sums.append(loss.detach())
        moves.append({key: each.grad for key, each in net.named_parameters() if each.grad is not None})
    assert close(sums[0], sums[1], 1e-6)
    assert moves[0].keys() == moves[1].keys()
    largest = max(float(each.abs().max()) for each in moves[1].values())
    for key, move in moves[1].items():  # the gradient of a key's bias is 0, but for rounding
        assert (moves[0][key] - move).abs().max() <= 1e-4 * max(float(move.abs().max()), 1e-2 * largest), key


@pytest.mark.parametrize("long", [512, 8])
@pytest.mark.parametrize("name", ["gpt2", "qwen3", "mistral window", "alibi", "bert", "bart"])
def test_in_half_precision_too(name: str, long: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The products that bf16 training multiplies plainly on a CPU, against float32."""
    monkeypatch.setattr("dragoman.nn.segments._LONG", long)
    exact, rows = net_of(name), (LENGTHS, (2, 2, 20), LENGTHS)
    light = copy.deepcopy(exact).to(torch.bfloat16)
    ids, targets = some(3, 24), some(3, 24, 1)
    together = packed(light, ids, targets, numbered(rows))
    assert together.requires_grad  # or the fused kernel answers
    with torch.no_grad():
        assert close(together, alone(light, ids, targets, rows), 0.1)
        assert (together - alone(exact, ids, targets, rows)).square().mean() < 0.01
    together.float().square().sum().backward()
    assert all(
        each.grad is not None and bool(each.grad.isfinite().all())
        for each in light.parameters()
        if each.grad is not None
    )


def _seen_by_all(asking: Tensor, answering: Tensor) -> Tensor:
    return torch.ones(len(asking), 1, asking.shape[1], answering.shape[1], dtype=torch.bool)


def _on_and_on(segments: Tensor, arch: object, front: int = 0) -> Tensor:
    return torch.arange(segments.shape[1]).expand_as(segments)


MASK = {"dragoman.nn.sights.share_segment": _seen_by_all}
PLACES = {"dragoman.nn.decoder.place_documents": _on_and_on, "dragoman.nn.encoder.place_documents": _on_and_on}


@pytest.mark.parametrize("name", ["gpt2", "sinusoidal", "bert", "bart"])
@pytest.mark.parametrize("mistake", [MASK, PLACES, MASK | PLACES], ids=["no mask", "no positions", "neither"])
def test_half_of_packing_is_seen(
    name: str, mistake: dict[str, Callable[..., Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    net, ids, targets = net_of(name), some(3, 24), some(3, 24, 1)
    for place, wrong in mistake.items():
        monkeypatch.setattr(place, wrong)
    with torch.no_grad():
        found, expected = packed(net, ids, targets, numbered(ROWS)), alone(net, ids, targets, ROWS)
        logits, right = net.predict(found), net.predict(expected)
    assert not close(logits, right, 1e-3)
    assert close(logits[:, :2], right[:, :2], 0.2) or name in ("bert", "bart")  # causal: the first tokens are right


@pytest.mark.parametrize("name", ["qwen3", "t5", "alibi"])
def test_distances_need_no_new_positions_and_still_a_mask(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, ids, targets = net_of(name), some(3, 24), some(3, 24, 1)
    for place, wrong in PLACES.items():
        monkeypatch.setattr(place, wrong)
    with torch.no_grad():
        expected = alone(net, ids, targets, ROWS)
        assert close(packed(net, ids, targets, numbered(ROWS)), expected, 2e-5)
        monkeypatch.setattr("dragoman.nn.sights.share_segment", _seen_by_all)
        assert not close(packed(net, ids, targets, numbered(ROWS)), expected, 1e-3)


def test_filling_tokens_trouble_nobody() -> None:
    """Rows of an answer are filled further than those of its source: what has no source gives finite gradients."""
    net = copy.deepcopy(two_stacks("t5"))
    segments = torch.tensor([[0] * 5 + [1] * 5])
    who = torch.tensor([[0] * 3 + [1] * 3 + [-1] * 4])
    ids, targets = some(1, 10), some(1, 10, 1)
    net(ids, None, targets, segments=segments, target_segments=who)[:, :6].sum().backward()
    assert all(bool(each.grad.isfinite().all()) for each in net.parameters() if each.grad is not None)
    with torch.no_grad():
        together = net(ids, None, targets, segments=segments, target_segments=who)
        assert bool(together.isfinite().all())
        assert close(together[:, :3], net(ids[:, :5], None, targets[:, :3]), 1e-5)
        assert close(together[:, 3:6], net(ids[:, 5:], None, targets[:, 3:6]), 1e-5)


def test_a_decoder_is_one_graph_with_and_without_segments() -> None:
    """Nothing in a stack makes the compiler stop, and a new packing of the rows compiles nothing anew."""
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", GRAPH], check=True, timeout=300)


GRAPH = """
import torch
from dragoman.nn.sizes import fresh_arch
from dragoman.nn.store import build_lm
net = build_lm(fresh_arch("qwen3", 99, 64, width=32, layers=2))
whole = torch.compile(net.states, fullgraph=True, backend="eager")
ids = torch.arange(32).view(2, 16)
rows = torch.tensor([[0] * 5 + [1] * 11, [3] * 4 + [2] * 12])
for segments in (None, rows, rows.flip(0)):
    assert torch.allclose(whole(ids, segments=segments), net.states(ids, segments=segments), atol=1e-6)
# Blocks compiled by themselves, as training does: documents gone through one by one are a mask there.
import dragoman.nn.segments
dragoman.nn.segments._LONG = 8
torch._dynamo.reset()
calls = []
def count(graph, inputs):
    calls.append(1)
    return graph.forward
for block in net.blocks:
    block.compile(backend=count, fullgraph=True)
halves = torch.tensor([[0] * 8 + [1] * 8] * 2)
thirds = torch.tensor([[0] * 5 + [1] * 5 + [2] * 6] * 2)
first = net.states(ids, segments=halves)
before = len(calls)
net.states(ids, segments=thirds), net.states(ids, segments=thirds.flip(1))
assert before and len(calls) == before, (before, len(calls))
"""
