"""Writing text: Dragoman's engine against transformers' `generate`, same random Llama weights, ids and threads.

python -m benchmarks.generation [--rounds 3] [--tokens 64] [--threads 2] [--sizes 15M,110M] [--dry]

Decoding at batch 1 and 16, and the share of the memory bandwidth reached. llama.cpp takes part where it is installed.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks._llama_cpp import installed, turns, write_q8
from benchmarks.side_by_side import ROOT, machine, measure, ratios, replace_section, spread, table

HEADING = "Writing text"
SIZES = {"15M": (288, 6, 6, 768), "110M": (768, 12, 12, 2048)}
OURS = ("fp32", "bf16", "int8", "int8_dynamic")
THEIRS = ("generate fp32", "generate bf16")
PEER = "llama.cpp q8_0"
BATCHES = (1, 16)
PROMPT = tuple(range(5, 21))
"16 tokens to go on from"


def write_model(folder: Path, size: str) -> None:
    """Random Llama weights of a size, as both programs open them."""
    import torch
    from safetensors.torch import save_file

    from dragoman.nn.families.llama import Llama
    from dragoman.nn.names import to_published
    from dragoman.nn.store import fresh_lm

    width, layers, heads, wide = SIZES[size]
    shape = {"vocab_size": 32000, "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    rest = {"intermediate_size": wide, "max_position_embeddings": 1024, "rms_norm_eps": 1e-5}
    family = Llama()
    arch = family.read({**shape, **rest, "tie_word_embeddings": True})
    net = fresh_lm(arch)
    with torch.no_grad():  # far from its start, so that a greedy answer does not repeat one token
        for parameter in net.parameters():
            if parameter.dim() == 2:
                parameter.mul_(10)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(to_published(net, arch, family.language), folder / "model.safetensors", metadata={"format": "pt"})
    said = {"architectures": ["LlamaForCausalLM"], "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(family.write(arch) | said))


def work(label: str, folder: Path, tokens: int, threads: int) -> None:
    """One program's turn: open, warm up, then write at each batch size with the clock running."""
    import torch

    torch.set_num_threads(threads)
    started = time.perf_counter()
    if label == PEER:
        turn: Any = turns(folder / "q8.gguf", PROMPT, threads, max(BATCHES))
    else:
        turn = _theirs(label, folder) if label in THEIRS else _ours(label, folder)
    figures: dict[str, Any] = {"loading": time.perf_counter() - started}
    for rows in BATCHES:
        turn(rows, 8)
        best = 0.0
        for _ in range(3):
            begun = time.perf_counter()
            ids = turn(rows, tokens)
            best = max(best, rows * tokens / (time.perf_counter() - begun))
        figures[f"batch {rows}"] = best
        figures[f"ids {rows}"] = ids[0][:16]
    figures["bandwidth"] = _bandwidth()
    print(json.dumps(figures))


def _ours(label: str, folder: Path) -> Any:
    import torch

    from dragoman.core.sampling import Sampling
    from dragoman.nn.decode import Decoding
    from dragoman.nn.encdec import EncoderDecoder
    from dragoman.nn.masked import MaskedLM
    from dragoman.nn.packed import pack
    from dragoman.nn.store import load_lm

    net = load_lm(folder, torch.bfloat16 if label == "bf16" else torch.float32)
    assert not isinstance(net, MaskedLM | EncoderDecoder)
    pack(net, label)  # type: ignore[arg-type]

    def turn(rows: int, tokens: int) -> list[list[int]]:
        decoding = Decoding(net, [PROMPT] * rows, Sampling(max_tokens=tokens), eos_ids=frozenset(), pad_id=0)
        found: list[list[int]] = [[] for _ in range(rows)]
        while written := decoding.step():
            for one in written:
                found[one.row].append(one.id)
        return found

    return turn


def _theirs(label: str, folder: Path) -> Any:
    import torch
    import transformers

    dtype = torch.bfloat16 if label.endswith("bf16") else torch.float32
    net = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    net.generation_config.eos_token_id = None

    def turn(rows: int, tokens: int) -> list[list[int]]:
        ids = torch.tensor([PROMPT] * rows)
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            out = net.generate(
                ids, attention_mask=mask, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=0
            )
        found: list[list[int]] = out[:, len(PROMPT) :].tolist()
        return found

    return turn


def _bandwidth() -> float:
    """Bytes a second that this process reads from memory, the best of five sums over 256 MB."""
    import torch

    block = torch.ones(64_000_000)
    best = 0.0
    for _ in range(5):
        begun = time.perf_counter()
        block.sum()
        best = max(best, block.numel() * 4 / (time.perf_counter() - begun))
    return best


def parameters(size: str) -> int:
    """Numbers that are read for one token: every matrix once, the tied table as the head."""
    width, layers, _, wide = SIZES[size]
    return layers * (4 * width * width + 3 * width * wide) + 32000 * width


def decoding(size: str, rounds: int, tokens: int, threads: int) -> str:
    """The section on one size."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / size
        write_model(folder, size)
        front = [sys.executable, "-W", "ignore", "-m", "benchmarks.generation"]
        rest = ["--folder", str(folder), "--tokens", str(tokens), "--threads", str(threads)]
        if installed():
            write_q8(folder, folder / "q8.gguf")
        labels = (*OURS, *THEIRS, *((PEER,) if installed() else ()))
        commands = {label: [*front, "--work", label, *rest] for label in labels}
        measured = measure(f"generation {size}", commands, rounds)
    same = all(run["ids 1"] == measured[THEIRS[0]][0]["ids 1"] for run in measured["fp32"])
    figures = {f"batch {rows}": f"tokens/s at batch {rows} (min / median / max)" for rows in BATCHES}
    lines = [f"### {size} parameters", table(measured, figures), _ratios(measured), _limits(measured, size)]
    lines.append(f"Greedy ids of fp32 equal to those of `generate` fp32: {'yes' if same else 'no'}.")
    return "\n\n".join(lines)


def _ratios(measured: Mapping[str, Any]) -> str:
    lines = ["| | batch 1 | batch 16 |", "|---|---|---|"]
    for ours in OURS:
        for theirs in (label for label in (*THEIRS, PEER) if label in measured):
            cells = [spread(ratios(dict(measured), ours, theirs, f"batch {rows}"), 2) for rows in BATCHES]
            lines.append(f"| {ours} / {theirs} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _limits(measured: Mapping[str, Any], size: str) -> str:
    told = []
    for label, each in (("fp32", 4), ("bf16", 2), ("int8", 1), ("int8_dynamic", 1)):
        shares = [run["batch 1"] * parameters(size) * each / run["bandwidth"] for run in measured[label]]
        told.append(f"{label} {statistics.median(shares):.0%}")
    return "Share of the memory bandwidth that reading the weights takes at batch 1: " + ", ".join(told) + "."


def main() -> None:
    """Measure, print, and write the section into docs/performance.md."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--tokens", type=int, default=64)
    words.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    words.add_argument("--sizes", default=",".join(SIZES))
    words.add_argument("--dry", action="store_true", help="print only; leave docs/performance.md as it is")
    words.add_argument("--work", help=argparse.SUPPRESS)
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.work:
        work(given.work, given.folder, given.tokens, given.threads)
        return
    parts = [
        f"Llama shapes with random weights, {len(PROMPT)} tokens read, {given.tokens} written greedily without an end "
        f"token, {given.rounds} rounds in turns, each in a fresh process; loading and a warm-up are not counted."
    ]
    parts += [decoding(size, given.rounds, given.tokens, given.threads) for size in given.sizes.split(",")]
    parts += [machine(("torch", "transformers"), given.threads), "Again: `python -m benchmarks.generation`"]
    body = "\n\n".join(parts)
    print(body)
    if not given.dry:
        replace_section(ROOT / "docs" / "performance.md", HEADING, body)


if __name__ == "__main__":
    main()
