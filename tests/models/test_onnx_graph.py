"""The graph gives the vectors of the encoder it was written from, and a part it has no operators for is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.models.encoder import LocalEncoder
from dragoman.models.onnx_encoder import OnnxGraph
from dragoman.models.onnx_graph import missing, write_graph
from dragoman.nn.arch import Arch
from dragoman.nn.encoder import fresh_encoder
from tests.nn.tiny import ARCHES, FAMILIES, TEXTS, amplify, tokenizer

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def gap(arch: Arch, pool_first: bool, folder: Path) -> float:
    net, tokens = amplify(fresh_encoder(arch)), tokenizer(arch.family, folder)
    graph = OnnxGraph(write_graph(net, pool_first))
    exact = LocalEncoder(net, tokens, precision="fp32", pool_first=pool_first).embed(TEXTS)
    found = LocalEncoder(net, tokens, graph=graph).embed(TEXTS)
    return float(np.abs(exact - found).max())


@pytest.mark.parametrize("pool_first", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_vectors(family: str, pool_first: bool, tmp_path: Path) -> None:
    assert gap(ARCHES[family], pool_first, tmp_path) < 1e-5


@pytest.mark.parametrize(
    "arch",
    [
        replace(ARCHES["bert"], norm_place="before", final_norm=True, activation="gelu_tanh"),
        replace(ARCHES["bert"], activation="relu", attention_bias=False, feed_forward_bias=False, embedding_norm=False),
        replace(ARCHES["bert"], embedding_scale=8.0, attention_scale=0.3, norm_eps=1e-3),
    ],
)
def test_the_same_vectors_in_other_shapes(arch: Arch, tmp_path: Path) -> None:
    assert gap(arch, False, tmp_path) < 1e-5


def test_padding_is_not_seen() -> None:
    net = amplify(fresh_encoder(ARCHES["bert"]))
    graph = OnnxGraph(write_graph(net, False))
    ids = torch.randint(0, 90, (1, 7), generator=torch.Generator().manual_seed(0))
    wide = torch.cat((ids, torch.full((1, 5), 9)), dim=1)
    mask = torch.arange(12)[None] < 7
    assert (graph.vectors(wide, mask) - graph.vectors(ids, None)).abs().max() < 1e-6


def test_the_same_weights_are_the_same_bytes() -> None:
    net = fresh_encoder(ARCHES["bert"])
    assert write_graph(net, False) == write_graph(net, False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"position": "rotary"}, "rotary positions"),
        ({"norm": "rms"}, "rms norms"),
        ({"activation": "silu", "gated": True}, "the bend silu, a gate"),
        ({"kv_heads": 2}, "heads that share answers"),
        ({"window": 8}, "a window"),
    ],
)
def test_what_is_not_written_is_named(change: dict[str, object], said: str) -> None:
    net = fresh_encoder(replace(ARCHES["bert"], **change))  # type: ignore[arg-type]
    assert said in missing(net)
    with pytest.raises(UserError, match="not written as ONNX"):
        write_graph(net, False)


def test_weights_that_are_no_numbers_are_refused() -> None:
    net = fresh_encoder(ARCHES["bert"])
    with torch.no_grad():
        net.blocks[0].feed_forward.up.weight[0, 0] = torch.nan
    with pytest.raises(UserError, match="numbers that are none"):
        write_graph(net, False)
