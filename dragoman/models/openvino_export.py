"""Writes a decoder of `nn` as an OpenVINO graph with its own cache, the matrices in whole numbers of eight bits.

Standard operators alone (opset 15, OpenVINO 2026), in the order in which openvino-genai looks for them when it puts its
paged attention (Kwon et al. 2023) in the place of attention and cache.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.attention import Attention
from dragoman.nn.blocks import Block, FeedForward
from dragoman.nn.decoder import Decoder
from dragoman.nn.norms import RmsNorm
from dragoman.nn.positions import frequencies

if TYPE_CHECKING:
    from openvino import Model

__all__ = ["VERSION", "lacking", "write_model"]

VERSION = 1
"raised whenever the same weights are written as another graph: what is kept of the old one is not used again"

_BENDS = ("gelu", "gelu_tanh", "relu", "silu")


def lacking(net: Decoder) -> str:
    """What of a decoder this writer has no operators for, in a few words; empty where it has all."""
    arch = net.arch
    wanted = {
        f"{arch.position} positions": arch.position not in ("learned", "rotary"),
        f"norms {arch.norm_place} its halves": arch.norm_place == "after",
        "another text to read": arch.kind == "encoder-decoder",
        "a window": any(arch.reach(layer) for layer in range(arch.layers)),
        "learnt places in front of a text": net.front is not None,
        "a norm in front of its first block": net.embeddings.norm is not None,
        "kinds of sentences": net.embeddings.types is not None,
    }
    return ", ".join(name for name, there in wanted.items() if there)


def write_model(net: Decoder) -> "Model":
    """The graph of a decoder in fp32 that was not laid out for answering.

    It takes `input_ids`, `attention_mask`, `position_ids` [b, s] and `beam_idx` [b], keeps keys and values itself, and
    gives `logits` [b, s, v]. Alone it reads a whole text at once; writing on is what the paged attention is for. Raises
    UserError where the decoder has a part that `lacking` names.
    """
    lacks = lacking(net)
    if lacks:
        raise UserError(f"this decoder has {lacks}, which is not written for OpenVINO here", "say engine=ours")
    return _Writer(net.arch).write(net)


class _Writer:
    """The graph written so far. Each verb adds operators and gives the last of them."""

    def __init__(self, arch: Arch) -> None:
        from openvino import opset15

        self.arch = arch
        self.op = opset15
        self.sinks: list[Any] = []
        self.words: Any = None

    def write(self, net: Decoder) -> "Model":
        """All of the graph, in the order it runs in."""
        from openvino import Model, PartialShape, Type

        names = ("input_ids", "attention_mask", "position_ids", "beam_idx")
        shapes = ([-1, -1], [-1, -1], [-1, -1], [-1])
        given = [
            self.op.parameter(PartialShape(shape), Type.i32 if name == "beam_idx" else Type.i64, name=name)
            for name, shape in zip(names, shapes, strict=True)
        ]
        for parameter, name in zip(given, names, strict=True):
            parameter.output(0).set_names({name})
        self.ids, _, self.places, self.rows = given
        states = self._embed(net)
        angles = self._angles() if self.arch.position == "rotary" else None
        for layer, block in enumerate(net.blocks):
            assert isinstance(block, Block)
            states = self._block(block, layer, states, angles)
        if net.norm is not None:
            states = self._norm(net.norm, states)
        if self.arch.logit_scale != 1.0:
            states = self.op.multiply(states, self._number(self.arch.logit_scale))
        logits = self._linear(net.head, states, self.words if self.arch.tied else None)
        logits.output(0).set_names({"logits"})
        return Model([self.op.result(logits)], self.sinks, given, "decoder")

    def _embed(self, net: Decoder) -> Any:
        """The words, and where their positions are a table, that row: [b, s, w]."""
        inside, op = net.embeddings, self.op
        self.words = self._eight(inside.words.weight)
        states = op.gather(self.words, op.convert(self.ids, "i32"), self._whole(0))
        if self.arch.embedding_scale != 1.0:
            states = op.multiply(states, self._number(self.arch.embedding_scale))
        if self.arch.position == "learned":
            assert inside.positions is not None
            table = inside.positions.table.weight[inside.positions.offset :]  # [p, w]
            rows = op.gather(op.constant(_numbers(table)), op.convert(self.places, "i32"), self._whole(0))
            states = op.add(states, rows)
        return states

    def _angles(self) -> tuple[Any, Any]:
        """The cosine and the sine of every pair at every place, both halves alike: [b, 1, s, d] each."""
        op = self.op
        steps, gain = frequencies(self.arch.rope, self.arch.head_size)  # [d / 2]
        steps_at = op.constant(_numbers(steps).reshape(1, -1, 1))
        places = op.convert(op.unsqueeze(self.places, self._whole(1)), "f32")  # [b, 1, s]
        angles = op.transpose(op.matmul(steps_at, places, False, False), op.constant(np.array([0, 2, 1])))
        both = op.concat([angles, angles], -1)  # [b, s, d]
        cos, sin = op.cos(both), op.sin(both)
        if gain != 1.0:
            cos, sin = op.multiply(cos, self._number(gain)), op.multiply(sin, self._number(gain))
        return op.unsqueeze(cos, self._whole(1)), op.unsqueeze(sin, self._whole(1))

    def _block(self, block: Block, layer: int, states: Any, angles: tuple[Any, Any] | None) -> Any:
        """One floor up, the norms before each half or around it: [b, s, w]."""
        learnt = self._attention(block.attention, layer, self._norm(block.attention_norm, states), angles)
        if block.attention_after is not None:
            learnt = self._norm(block.attention_after, learnt)
        states = self.op.add(states, learnt)
        thought = self._feed_forward(block.feed_forward, self._norm(block.feed_forward_norm, states))
        if block.feed_forward_after is not None:
            thought = self._norm(block.feed_forward_after, thought)
        return self.op.add(states, thought)

    def _attention(self, part: Attention, layer: int, states: Any, angles: tuple[Any, Any] | None) -> Any:
        """What each token learns from those before it: [b, s, w]."""
        op, heads, groups = self.op, part.heads, part.groups
        query, key = self._split(part.query, states, heads), self._split(part.key, states, groups)
        value = op.transpose(self._split(part.value, states, groups), self._swap())
        if part.query_norm is not None and part.key_norm is not None:
            query, key = self._norm(part.query_norm, query), self._norm(part.key_norm, key)
        query, key = op.transpose(query, self._swap()), op.transpose(key, self._swap())  # [b, h, s, d]
        if angles is not None:
            query, key = self._turn(query, angles), self._turn(key, angles)
        key, value = self._past(f"key {layer}", key), self._past(f"value {layer}", value)  # [b, g, k, d]
        if groups < heads:
            key, value = self._shared(key, heads // groups), self._shared(value, heads // groups)
        scale = self._number(part.scale)
        mixed = op.scaled_dot_product_attention(query, key, value, scale=scale, causal=True)  # [b, h, s, d]
        together = op.reshape(
            op.transpose(mixed, self._swap()), op.constant(np.array([0, 0, heads * part.size])), True
        )  # [b, s, h d]
        return self._linear(part.output, together)

    def _split(self, matrix: nn.Module, states: Any, heads: int) -> Any:
        """[b, s, h, d]."""
        shape = self.op.constant(np.array([0, 0, heads, self.arch.head_size]))
        return self.op.reshape(self._linear(matrix, states), shape, True)

    def _turn(self, states: Any, angles: tuple[Any, Any]) -> Any:
        """Every pair (i, i + d / 2) of every head, turned by its angle (Su et al. 2021)."""
        op, half = self.op, self.arch.head_size // 2
        first, second = op.variadic_split(states, self._whole(-1), op.constant(np.array([half, half]))).outputs()
        swapped = op.concat([op.multiply(second, self._number(-1.0)), first], -1)
        return op.add(op.multiply(states, angles[0]), op.multiply(swapped, angles[1]))

    def _past(self, name: str, states: Any) -> Any:
        """The keys or values of the text so far, these behind them, and both kept for the next step: [b, g, k, d]."""
        from openvino import PartialShape
        from openvino.op.util import Variable, VariableInfo

        op, groups, size = self.op, self.arch.groups, self.arch.head_size
        info = VariableInfo()
        info.data_shape, info.data_type, info.variable_id = (
            PartialShape([-1, groups, -1, size]), states.get_element_type(), name
        )  # fmt: skip
        variable = Variable(info)
        batch = op.gather(op.shape_of(self.ids, "i64"), op.constant(np.array([0])), self._whole(0))  # [1]
        rest = [op.constant(np.array([number])) for number in (groups, 0, size)]
        empty = op.broadcast(self._number(0.0), op.concat([batch, *rest], 0))
        past = op.gather(op.read_value(empty, variable), self.rows, self._whole(0))
        whole = op.concat([past, states], 2)
        self.sinks.append(op.assign(whole, variable))
        return whole

    def _shared(self, states: Any, times: int) -> Any:
        """Each answering head for all that ask it: [b, h, k, d] (Ainslie et al. 2023)."""
        op, arch = self.op, self.arch
        apart = op.unsqueeze(states, self._whole(2))  # [b, g, 1, k, d]
        wide = op.broadcast(apart, op.constant(np.array([1, 1, times, 1, 1])), broadcast_spec="BIDIRECTIONAL")
        return op.reshape(wide, op.constant(np.array([0, arch.heads, -1, arch.head_size])), True)

    def _feed_forward(self, part: FeedForward, states: Any) -> Any:
        """Up, the bend, down: [b, s, w]."""
        up = self._linear(part.up, states)
        bent = (
            self._bend(up) if part.gate is None else self.op.multiply(self._bend(self._linear(part.gate, states)), up)
        )
        return self._linear(part.down, bent)

    def _bend(self, states: Any) -> Any:
        op, name = self.op, self.arch.activation
        if name == "silu":
            return op.swish(states)
        return op.relu(states) if name == "relu" else op.gelu(states, "tanh" if name == "gelu_tanh" else "erf")

    def _norm(self, norm: nn.Module, states: Any) -> Any:
        """RMS or layer norm over the last axis, in the form that OpenVINO knows as one."""
        op, last = self.op, self.op.constant(np.array([-1]))
        if isinstance(norm, RmsNorm):
            squares = op.reduce_mean(op.power(states, self._number(2.0)), last, keep_dims=True)
            length = op.sqrt(op.add(squares, self._number(norm.eps)))
            scaled = op.multiply(states, op.divide(self._number(1.0), length))
            return op.multiply(scaled, op.constant(_numbers(norm.weight.float() + norm.shift)))
        assert isinstance(norm, nn.LayerNorm)
        even = op.mvn(states, last, True, norm.eps, "inside_sqrt")
        return op.add(op.multiply(even, op.constant(_numbers(norm.weight))), op.constant(_numbers(norm.bias)))

    def _linear(self, matrix: nn.Module, states: Any, weight: Any = None) -> Any:
        """states W^T + bias, with W in eight bits."""
        assert isinstance(matrix, nn.Linear)
        weight = self._eight(matrix.weight) if weight is None else weight
        out = self.op.matmul(states, weight, False, True)
        bias = dict(matrix.named_parameters()).get("bias")
        return out if bias is None else self.op.add(out, self.op.constant(_numbers(bias)))

    def _eight(self, weight: Tensor) -> Any:
        """A matrix [o, i] in whole numbers from -127 to 127, and one scale a row."""
        exact = _numbers(weight)
        scales = np.maximum(np.abs(exact).max(1, keepdims=True), 1e-12) / 127
        whole = np.rint(exact / scales).astype(np.int8)
        return self.op.multiply(self.op.convert(self.op.constant(whole), "f32"), self.op.constant(scales))

    def _swap(self) -> Any:
        return self.op.constant(np.array([0, 2, 1, 3]))

    def _number(self, value: float) -> Any:
        return self.op.constant(np.float32(value))

    def _whole(self, value: int) -> Any:
        return self.op.constant(np.int64(value))


def _numbers(tensor: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return found
