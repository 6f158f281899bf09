"""A decoder as a graph of OpenVINO: the same numbers as our net, to eight bits; what cannot be written is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.models.openvino_export import lacking, write_model
from dragoman.nn.arch import Arch
from dragoman.nn.decoder import Decoder
from dragoman.nn.store import fresh_lm, load_lm
from tests.nn.tiny_lm import folder_of

openvino = pytest.importorskip("openvino")


def fresh(arch: Arch) -> Decoder:
    net = fresh_lm(arch)
    assert isinstance(net, Decoder)
    return net.eval()


def net_of(name: str, folder: Path) -> Decoder:
    net = load_lm(folder_of(name, folder / name), torch.float32).eval()
    assert isinstance(net, Decoder)
    return net


@pytest.mark.parametrize("name", ["llama", "gpt2", "others"])
def test_the_graph_is_the_net(name: str, tmp_path: Path) -> None:
    net = net_of("llama" if name == "others" else name, tmp_path)
    if name == "others":  # what Qwen and Gemma have and Llama has not
        inside = {"head_norm": True, "norm_place": "around", "norm_shift": 1.0, "activation": "gelu_tanh"}
        net = fresh(replace(net.arch, attention_bias=True, embedding_scale=2.0, tied=False, **inside))  # type: ignore[arg-type]
    ids = torch.randint(net.arch.vocabulary, (2, 16), generator=torch.Generator().manual_seed(0))
    exact = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    graph = openvino.Core().compile_model(write_model(net), "CPU", exact)
    given = {
        "input_ids": ids.numpy(),
        "attention_mask": np.ones((2, 16), np.int64),
        "position_ids": np.tile(np.arange(16), (2, 1)),
        "beam_idx": np.arange(2, dtype=np.int32),
    }
    found = torch.from_numpy(next(iter(graph(given).values()))).log_softmax(-1)  # [2, 16, v]
    with torch.no_grad():
        wanted = net(ids).log_softmax(-1)  # [2, 16, v]
    apart = (wanted.exp() * (wanted - found)).sum(-1)  # [2, 16]
    assert float(apart.mean()) < 0.003
    assert float((found.argmax(-1) == wanted.argmax(-1)).float().mean()) > 0.9


def test_what_has_no_operators_is_named(tmp_path: Path) -> None:
    net = net_of("llama", tmp_path)
    assert lacking(net) == ""
    object.__setattr__(net, "arch", type(net.arch)(**{**net.arch.__dict__, "position": "alibi"}))
    assert lacking(net) == "alibi positions"
    with pytest.raises(UserError, match="alibi positions"):
        write_model(net)
