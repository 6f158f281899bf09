"""What a pretraining leaves behind: the record that its report is drawn from, and the card for the terminal."""

import lzma
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dragoman import __version__
from dragoman.core.config import dump
from dragoman.core.runs import Run
from dragoman.core.shards import Corpus
from dragoman.core.show import figure, many
from dragoman.core.sizing import show_bytes, show_seconds
from dragoman.stages.assistants import MODEL
from dragoman.stages.record import lineage

if TYPE_CHECKING:
    from dragoman.nn.arch import Arch
    from dragoman.nn.tokenizer import Tokenizer

__all__ = ["card_of", "compressed", "record_of"]

_READ = 1_000_000  # bytes of held-out text that the compressor reads


def compressed(corpus: Corpus, tokenizer: "Tokenizer") -> float | None:
    """Bits for a byte that xz needs for the held-out text: what knowing nothing of language but repetition gives.

    None where there is no text of the training to prepare it with. The compressor may read the end of it first.
    """
    known, text = (_text(corpus, tokenizer, name) for name in ("train", "validation"))
    if not text:
        return None
    alone, both = len(lzma.compress(known)), len(lzma.compress(known + text))
    return 8 * max(both - alone, 1) / len(text)


def _text(corpus: Corpus, tokenizer: "Tokenizer", name: str) -> bytes:
    """Up to a megabyte of a part, document by document."""
    made, size = [], 0
    for documents in corpus.part(name):
        begin = 0
        for end in documents.ends.tolist():
            if size >= _READ:
                break
            stop = min(end, begin + _READ - size)  # a token has a byte at the least
            made.append(tokenizer.decode(documents.read(begin, stop).tolist()).encode())
            size += len(made[-1])
            begin = end
    return b"".join(made)[:_READ]


def record_of(
    run: Run,
    runs: Sequence[Run],
    facts: Mapping[str, Any],
    choice: Mapping[str, Any],
    arch: "Arch",
    corpus: Corpus,
    words: str,
) -> dict[str, Any]:
    """The record in the form the report draws. `words` is the command that makes it again."""
    return {
        "name": run.id,
        "kind": run.verb,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "dragoman": __version__,
        "headline": _headline(facts),
        **_learnt(facts),
        "speed": _speeds(facts, choice),
        "plan": _planned(facts, choice),
        "memory": {"this training": [{"part": part, "bytes": size} for part, size in choice["parts"].items() if size]},
        "samples": [{"step": _step_of(facts, one), **one} for one in facts["samples"]],
        "corpus": _corpus(corpus),
        "model": {
            "family": arch.family,
            "parameters": facts["parameters"],
            "width": arch.width,
            "layers": arch.layers,
            "heads": arch.heads,
            "positions": arch.longest,
            "vocabulary": arch.vocabulary,
            "bytes": facts["bytes"],
        },
        "settings": dump(run.settings) | {"train": choice["how"]},
        "environment": run.record["environment"],
        "warnings": list(choice["notes"]) + _warnings(facts),
        "lineage": lineage(runs),
        "commands": [words, f'dragoman generate {run.folder / MODEL} "..."', f"dragoman report {run.id}"],
    }


def _learnt(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The figures at the top and the curves."""
    held = facts["held_out"]
    return {
        "tiles": {
            **({"bits per byte": held["bits_per_byte"]} if "bits_per_byte" in held else {}),
            "loss": held["loss"],
            "parameters": facts["parameters"],
            "tokens": facts["tokens"],
            "tokens/s": facts["tokens"] / max(facts["seconds"], 1e-9),
        },
        "losses": {"stretch": facts["stretch"], "points": facts["losses"]},
        "rates": {"stretch": facts["stretch"], "points": [rate for _, _, rate in facts["speed"]]},
        "history": facts["history"],
    }


def _speeds(facts: Mapping[str, Any], choice: Mapping[str, Any]) -> list[dict[str, float]]:
    """Tokens a second, and the share of the machine's matrix peak that they are."""
    share = choice["flops_per_token"] / choice["peak"]
    known = [(step, speed) for step, speed, _ in facts["speed"] if speed]
    return [{"step": step, "tokens_per_second": speed, "fraction": speed * share} for step, speed in known]


def _planned(facts: Mapping[str, Any], choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was predicted, beside what was measured."""
    speed = _median([speed for _, speed, _ in facts["speed"] if speed]) or choice["speed"]
    return [
        {"what": "memory", "predicted": choice["memory"], "measured": facts["memory"], "unit": "bytes"},
        {"what": "time", "predicted": choice["seconds"], "measured": facts["seconds"], "unit": "s"},
        {"what": "tokens/s while learning", "predicted": choice["speed"], "measured": speed, "unit": "tokens"},
    ]


def _headline(facts: Mapping[str, Any]) -> str:
    held = facts["held_out"]
    if "bits_per_byte" not in held:
        return f"Loss {figure(held['loss'])} on texts it never learnt from."
    beside = facts.get("compressed")
    told = f" xz, which knows repetition alone, needs {beside:.2f}." if beside else ""
    return f"{figure(held['bits_per_byte'])} bits for each byte of texts it never learnt from.{told}"


def _warnings(facts: Mapping[str, Any]) -> list[str]:
    said = []
    if facts["skipped"]:
        said.append(f"{many(facts['skipped'], 'step')} held something that is not finite and taught nothing.")
    if facts["best_step"] < facts["steps"]:
        said.append(f"The best of all measurements was at step {facts['best_step']:,}; its weights are the model.")
    return said


def _step_of(facts: Mapping[str, Any], sample: Mapping[str, Any]) -> int:
    """At which step a sample was written: that of the measurement with its loss."""
    return next((int(one["step"]) for one in facts["history"] if one["validation"] == sample["validation"]), 0)


def _corpus(corpus: Corpus) -> dict[str, Any]:
    facts = corpus.facts
    card: dict[str, Any] = {"folder": str(corpus.folder)}
    for name in ("train", "validation"):
        parts = corpus.part(name)
        card[f"{name} documents"] = sum(len(part.ends) for part in parts)
        card[f"{name} tokens"] = sum(part.tokens for part in parts)
        card[f"{name} bytes"] = sum(part.bytes for part in parts)
    for key in ("languages", "masked"):
        whole: Counter[str] = Counter()
        for source in facts.get("sources", ()):
            whole.update(source.get(key, {}))
        card[key] = dict(whole.most_common())
    card["filters"] = facts.get("filters", [])
    return card


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


def card_of(run: Run, facts: Mapping[str, Any], report: str) -> list[tuple[str, str]]:
    """The card for a person."""
    held = facts["held_out"]
    rows = []
    if "bits_per_byte" in held:
        rows.append(("bits per byte", f"{figure(held['bits_per_byte'])} held out"))
        if facts.get("compressed"):
            rows.append(("  xz beside it", f"{facts['compressed']:.3f}"))
    rows += [
        ("loss", f"{figure(held['loss'])} nats a label, {held['labels']:,} labels held out"),
        ("model", f"{facts['parameters']:,} parameters, {show_bytes(facts['bytes'])}"),
        ("learnt", f"{facts['tokens']:,} tokens in {facts['steps']:,} steps"),
        ("took", f"{show_seconds(facts['seconds'])}, {show_bytes(facts['memory'])} at the peak"),
    ]
    if facts["skipped"]:
        rows.append(("left out", f"{many(facts['skipped'], 'step')} that held something not finite"))
    if facts["samples"]:
        last = facts["samples"][-1]
        rows.append(("it writes", f"{last['prompt']} …{last['text']}"))
    rows += [("saved in", str(run.folder / MODEL)), ("report", report)]
    rows.append(("then", f'dragoman generate {run.folder / MODEL} "..."'))
    return rows
