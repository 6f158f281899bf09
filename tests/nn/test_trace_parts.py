"""What a trace holds is what the tensors say."""

import base64
from typing import Any

import numpy as np
import torch

from dragoman.nn.trace_parts import (
    NAMED,
    named_first,
    pack,
    share_bytes,
    trace_embeddings,
    trace_lens,
    trace_masked,
    trace_next,
    trace_shares,
)


def unpack(given: Any) -> torch.Tensor:
    """The array again."""
    order = {"uint8": "<u1", "int32": "<i4", "float32": "<f4"}[given["kind"]]
    return torch.tensor(np.frombuffer(base64.b64decode(given["data"]), order).copy()).reshape(given["shape"])


def test_arrays_come_back() -> None:
    for values in (torch.randn(3, 4), torch.arange(6).reshape(2, 3), torch.arange(256, dtype=torch.uint8)):
        assert torch.equal(unpack(pack(values)).to(values.dtype), values)
    assert unpack(pack(torch.tensor([1.5], dtype=torch.bfloat16))).item() == 1.5


def test_shares_keep_their_small_parts() -> None:
    shares = torch.linspace(0, 1, 10_001)
    back = (share_bytes(shares).float() / 255) ** 2
    assert (back - shares).abs().max() < 0.004
    assert abs(back[100] - 0.01) < 0.0005


def test_only_what_a_token_may_read_is_kept() -> None:
    weights = torch.rand(2, 3, 5, 5).tril()
    whole, lower = trace_shares(weights, False), trace_shares(weights, True)
    assert unpack(whole["weights"]).shape == (2, 3, 5, 5)
    kept = unpack(lower["weights"])
    assert kept.shape == (2, 3, 15)
    for query in range(5):
        for key in range(query + 1):  # the place that the page looks at
            place = query * (query + 1) // 2 + key
            assert torch.equal(kept[:, :, place], unpack(whole["weights"])[:, :, query, key])


def test_embeddings_lie_on_their_principal_axes() -> None:
    torch.manual_seed(0)
    table = torch.randn(50, 6) * torch.tensor([5.0, 3.0, 1.0, 0.5, 0.3, 0.1])
    ids = [4, 9, 12, 30, 31]
    found: Any = trace_embeddings(table, ids)
    points = unpack(found["points"])
    chosen = table[ids] - table[ids].mean(0)
    share = points.square().sum(0) / chosen.square().sum()
    assert (share - torch.tensor(found["variance"])).abs().max() < 1e-3
    assert found["variance"] == sorted(found["variance"], reverse=True)
    for number, near in zip(ids, found["neighbours"], strict=True):
        cosines = torch.cosine_similarity(table, table[number : number + 1])
        cosines[number] = -2
        assert [row[0] for row in near] == cosines.topk(8).indices.tolist()
        assert abs(near[0][1] - float(cosines.max())) < 1e-4


def test_one_token_has_no_axes() -> None:
    found: Any = trace_embeddings(torch.randn(4, 3), [2])
    assert unpack(found["points"]).tolist() == [[0, 0]]
    assert found["variance"] == [0, 0]
    assert len(found["neighbours"][0]) == 3


def test_the_lens_reads_every_layer() -> None:
    torch.manual_seed(0)
    head = torch.randn(11, 8)
    states = [torch.randn(70, 8) for _ in range(3)]
    written = [*torch.randint(0, 11, (69,)).tolist(), -1]
    found: Any = trace_lens(states, lambda some: some @ head.T, written)
    chances = torch.stack([(layer @ head.T).softmax(-1) for layer in states])
    assert torch.equal(unpack(found["ids"]).long(), chances.topk(5).indices)
    assert torch.allclose(unpack(found["probabilities"]), chances.topk(5).values)
    real = chances[:, range(69), written[:69]]
    assert torch.allclose(unpack(found["real"])[:, :69], real)
    assert unpack(found["real"])[:, 69].tolist() == [0, 0, 0]
    order = chances.argsort(-1, descending=True)
    rank = (order[:, :69] == torch.tensor(written[:69])[None, :, None]).int().argmax(-1)
    assert torch.equal(unpack(found["rank"])[:, :69], rank.int())
    assert set(found["named"]) == set(unpack(found["ids"]).flatten().tolist())


def test_next_and_masked() -> None:
    logits = torch.randn(20)
    found: Any = trace_next(logits, [3, 3, 5], [1])
    assert torch.equal(unpack(found["logits"]), logits)
    assert found["counts"] == {"3": 2, "5": 1}
    gap: Any = trace_masked([4], logits[None])[0]
    assert gap["position"] == 4
    assert gap["candidates"][0][0] == int(logits.argmax())
    assert gap["candidates"][0][1] == float(logits.softmax(0).max())


def test_the_most_probable_get_their_names_first() -> None:
    logits = torch.randn(30_000)
    names = named_first(logits, lambda ids: ["x" * 40 for _ in ids])
    assert next(iter(names)) == int(logits.argmax())
    assert len(names) == NAMED // 52
