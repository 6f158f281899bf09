"""An encoder computed by ONNX Runtime on the CPU: its graph is written once, proven equal once, and kept."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dragoman.core.disk import typed
from dragoman.core.durable import problems, publish
from dragoman.core.errors import UserError
from dragoman.models.device import has_bf16
from dragoman.models.encoder import LocalEncoder
from dragoman.models.onnx_graph import VERSION, missing, write_graph
from dragoman.models.source import fingerprint
from dragoman.nn.encoder import Encoder
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["EXACT", "Engine", "OnnxGraph", "cache_folder", "installed", "open_graph", "probes", "wants_onnx"]

Engine = Literal["auto", "torch", "onnx"]

EXACT = 0.99999
"cosine to torch's fp32 vector below which the graph is not taken for the same model"

_COUNT = 64
_GRAPH, _PROOF = "encoder.onnx", "proof.json"
_WORDS = (
    "Where is my parcel? It was to come on Tuesday, and the page says 'delivered' since Monday, 9:27.",
    "def read(path): return open(path, encoding='utf-8').read()  # the whole file, decoded",
    "Ein kurzer Satz auf Deutsch, une phrase en français, y una frase en español. 日本語の文もひとつ。",
    "Return a new list containing all items from the iterable in ascending order, or in descending order if asked.",
)


class OnnxGraph:
    """An encoder's graph in ONNX Runtime, on the CPU, with as many threads as torch has.

    `proof` is the smallest cosine of its vectors to torch's fp32 ones on 64 texts.
    """

    def __init__(self, graph: bytes, proof: float = 1.0) -> None:
        """Open a graph that `write_graph` wrote."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors alone
        self.proof = proof
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def vectors(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """One unit vector a text, [b, w], of ids [b, s] and the mask [b, s] that is True on the text (None: all is)."""
        shown = torch.ones(ids.shape) if mask is None else mask.float()  # [b, s]
        found: NDArray[np.float32] = self._session.run(["vectors"], {"ids": ids.numpy(), "mask": shown.numpy()})[0]
        return torch.from_numpy(found)


def installed() -> bool:
    """Whether what writes graphs and what runs them are both there."""
    return all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def wants_onnx(engine: str, device: torch.device, precision: str, net: Encoder) -> bool:
    """Whether ONNX Runtime is to compute. `auto` says so on a CPU without bf16, where nothing stands against it.

    Raises UserError where there is no such engine, or it was asked for and does not go with the rest.
    """
    if engine not in get_args(Engine):
        raise UserError(f"there is no engine named '{engine}'", f"say engine=... one of {', '.join(get_args(Engine))}")
    if engine == "auto":
        slow = device.type == "cpu" and precision == "auto" and not has_bf16(device)
        return slow and installed() and not missing(net)
    if engine == "torch":
        return False
    if device.type != "cpu":
        raise UserError(f"engine=onnx runs on a CPU, and the model is to run on {device.type}", "say device=cpu")
    if precision == "bf16":
        raise UserError("engine=onnx computes in fp32", "leave out precision=bf16, or say engine=torch")
    if not installed():
        raise UserError("engine=onnx needs onnx and onnxruntime", 'pip install "dragoman[onnx]"')
    return True


def open_graph(folder: Path, net: Encoder, tokenizer: Tokenizer, pool_first: bool) -> OnnxGraph:
    """The graph of the encoder `net` that was read from `folder`, from the cache or written and proven now.

    What is kept goes by the SHA-256 of the model's files, the version of onnxruntime and what the processor can, and is
    held against its own hashes before it is used; damaged, it is set aside and written anew. Raises UserError where the
    encoder cannot be written, its vectors are not those of torch to cosine 0.99999, or the cache cannot be written.
    """
    place = cache_folder() / _name(folder, pool_first)
    if place.is_dir() and not problems(place):
        proof = float(json.loads((place / _PROOF).read_text(encoding="utf-8"))["cosine"])
        return OnnxGraph((place / _GRAPH).read_bytes(), proof)
    graph = write_graph(net, pool_first)
    made = OnnxGraph(graph)
    made.proof = _prove(made, net, tokenizer, pool_first)

    def fill(stage: Path) -> None:
        (stage / _GRAPH).write_bytes(graph)
        (stage / _PROOF).write_text(json.dumps({"cosine": made.proof, "texts": _COUNT}), encoding="utf-8")

    publish(place, fill, needed=len(graph))
    return made


def probes() -> list[str]:
    """The 64 texts on which a graph is proven: prose, code and other scripts, 1 to 316 characters."""
    joined = [" ".join((*_WORDS[turn:], *_WORDS[:turn])) * 2 for turn in range(len(_WORDS))]
    return [joined[number % len(joined)][: 1 + number * 5] for number in range(_COUNT)]


def cache_folder() -> Path:
    """Where graphs are kept: XDG_CACHE_HOME or ~/.cache, and in it dragoman/onnx. It may be deleted at any time."""
    named = Path(os.environ.get("XDG_CACHE_HOME") or "~")
    base = named if named.is_absolute() else typed("~/.cache")
    return base / "dragoman" / "onnx"


def _prove(graph: OnnxGraph, net: Encoder, tokenizer: Tokenizer, pool_first: bool) -> float:
    """The smallest cosine to torch in fp32. Raises UserError where it is too small, or no number."""
    texts = probes()
    exact = LocalEncoder(net, tokenizer, precision="fp32", pool_first=pool_first).embed(texts)  # [64, w]
    found = LocalEncoder(net, tokenizer, precision="fp32", graph=graph).embed(texts)  # [64, w]
    proof = float((exact * found).sum(1).min())
    if not proof >= EXACT:
        said = f"the graph of ONNX Runtime gives other vectors than the model: cosine {proof:.6f}, wanted {EXACT}"
        raise UserError(said, "say engine=torch")
    return proof


def _name(folder: Path, pool_first: bool) -> str:
    """What a kept graph depends on, as one name of 32 hexadecimal digits."""
    parts = (
        fingerprint(folder),
        "first" if pool_first else "mean",
        str(VERSION),
        importlib.metadata.version("onnxruntime"),
        torch.backends.cpu.get_cpu_capability(),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
