"""llama.cpp as a peer of benchmarks/generation.py: the same weights as Q8_0, decoded through its own batches.

It takes part where it is installed (it is compiled for the machine, ten minutes): pip install llama-cpp-python gguf
"""

import ctypes
import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["installed", "turns", "write_q8"]

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def installed() -> bool:
    """Whether llama.cpp and the writer of its files are here."""
    return all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf"))


def write_q8(folder: Path, target: Path) -> None:
    """The Llama weights of a folder as a GGUF file with matrices in Q8_0.

    The rows of query and key stay as they are: llama.cpp pairs them otherwise, which changes the text and not the time.
    """
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(str(target), "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"t{number}".encode() for number in range(config["vocab_size"])])
    writer.add_token_scores([0.0] * config["vocab_size"])
    writer.add_token_types([1] * config["vocab_size"])
    kind = gguf.GGMLQuantizationType.Q8_0
    for name, tensor in load_file(folder / "model.safetensors").items():
        if tensor.ndim == 2:
            writer.add_tensor(_name(name), gguf.quants.quantize(tensor, kind), raw_dtype=kind)
        else:
            writer.add_tensor(_name(name), tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _name(name: str) -> str:
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    number, _, module = name.removeprefix("model.layers.").removesuffix(".weight").partition(".")
    return f"blk.{number}.{_NAMES[module]}.weight"


def turns(file: Path, prompt: Sequence[int], threads: int, rows: int) -> Callable[[int, int], list[list[int]]]:
    """What writes `tokens` greedy tokens for `rows` copies of the prompt, as in benchmarks/generation.py."""
    import llama_cpp
    import numpy as np

    engine = llama_cpp
    engine.llama_backend_init()
    model = engine.llama_model_load_from_file(str(file).encode(), engine.llama_model_default_params())
    settings = engine.llama_context_default_params()
    settings.n_ctx, settings.n_batch, settings.n_seq_max = 512 * rows, 512, rows
    settings.n_threads = settings.n_threads_batch = threads
    context = engine.llama_init_from_model(model, settings)
    size = engine.llama_vocab_n_tokens(engine.llama_model_get_vocab(model))

    def best(place: int) -> int:
        pointer = ctypes.cast(engine.llama_get_logits_ith(context, place), ctypes.POINTER(ctypes.c_float))
        return int(np.ctypeslib.as_array(pointer, shape=(size,)).argmax())

    def turn(count: int, tokens: int) -> list[list[int]]:
        engine.llama_memory_clear(engine.llama_get_memory(context), True)
        read = [(token, place, row) for row in range(count) for place, token in enumerate(prompt)]
        _decode(engine, context, read, [place == len(prompt) - 1 for _, place, _ in read])
        found = [[best(row * len(prompt) + len(prompt) - 1)] for row in range(count)]
        for step in range(1, tokens):
            _decode(
                engine, context, [(found[row][-1], len(prompt) + step - 1, row) for row in range(count)], [True] * count
            )
            for row in range(count):
                found[row].append(best(row))
        return found

    return turn


def _decode(engine: Any, context: Any, tokens: Sequence[tuple[int, int, int]], wanted: Sequence[bool]) -> None:
    """One batch of (token, position, sequence); logits where they are wanted."""
    batch = engine.llama_batch_init(len(tokens), 0, 1)
    for number, (token, place, row) in enumerate(tokens):
        batch.token[number], batch.pos[number] = token, place
        batch.n_seq_id[number], batch.seq_id[number][0] = 1, row
        batch.logits[number] = wanted[number]
    batch.n_tokens = len(tokens)
    code = engine.llama_decode(context, batch)
    engine.llama_batch_free(batch)
    if code:
        raise RuntimeError(f"llama.cpp could not decode: {code}")
