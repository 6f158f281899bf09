"""Train a tokenizer on texts, or look at one: how short texts become, in which languages, and how words are cut.

Every figure is measured on documents that were kept out of training.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.core.config import dump
from dragoman.core.disk import typed
from dragoman.core.durable import publish
from dragoman.core.errors import UserError
from dragoman.core.show import Board, Show, figure, many
from dragoman.core.types import Estimate
from dragoman.data.problems import Row, refuse
from dragoman.data.read import scan
from dragoman.nn.recipe import Training
from dragoman.stages.texts import documents, held_out

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Rust

    from dragoman.nn.tokenizer import Tokenizer

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("source",)
SECTIONS = False
_SAMPLES = 4
_LOST = 0.05  # a language of which more is unknown is not read; few tokens are no merit then


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman vocab`."""

    source: str = ""
    "The texts: a path or pattern (txt, jsonl, csv, parquet), - for standard input, builtin:stdlib, or hf:owner/name."
    column: str = ""
    "The column of a table that holds the text; empty guesses, and says what it took."
    out: str = "vocab"
    "The folder that the tokenizer is written to."
    model: str = ""
    "A folder whose tokenizer is looked at instead; nothing is trained."
    against: str = ""
    "A folder whose tokenizer is compared with, on the same texts."
    languages: str = ""
    "A file of rows with `language` and `text`, to tell what each language costs."
    held_out: float = 0.05
    "The share of documents that is kept out of training and measured on."
    how: Training = field(default_factory=Training)
    "What is trained."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Train and save, or open, then show the card."""
    if not settings.source and not settings.model:
        raise UserError("no text is named to learn from", "name it: dragoman vocab SOURCE")
    if not 0.0 < settings.held_out < 1.0:
        raise UserError(f"held_out cannot be {settings.held_out:g}", "a share of the documents: held_out=0.05")
    spoken = _languages(settings.languages) if settings.languages else {}
    other = _open(settings.against) if settings.against else None
    with show.board("vocab") as board:
        if settings.model:
            tokenizer = _open(settings.model)
            card = _measured(tokenizer, _texts(settings, board), spoken, other, board)
            card = {"folder": settings.model, **card}
        else:
            card = _trained(settings, spoken, other, board)
    _tell(card, settings, show)
    show.result(card)
    return 0


def _texts(settings: Settings, board: Board) -> list[str]:
    """The texts that a tokenizer is looked at with; none where only its card is wanted."""
    if not settings.source:
        return []
    with board.step("read") as tick:
        texts, said = documents(settings.source, settings.column, tick)
        tick(1.0, "; ".join([many(len(texts), "document"), *said]))
    return texts


def _trained(
    settings: Settings, spoken: Mapping[str, list[str]], other: "Tokenizer | None", board: Board
) -> dict[str, Any]:
    """Train, write the folder in one step, and give the card that lies in it."""
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.nn.vocabulary import write

    out, how = typed(settings.out), settings.how
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]) and not (out / "card.json").is_file():
        raise UserError(f"{out} holds something that is no tokenizer of dragoman vocab", "write elsewhere: out=vocab-2")
    texts, unseen = held_out(_texts(settings, board), settings.held_out)
    rust = _learnt(texts, how, board)
    card: dict[str, Any] = {"source": settings.source, "how": dump(how), "trained_on": len(texts)}

    def fill(stage: Path) -> None:
        write(rust, how, stage)
        card.update(_measured(Tokenizer(stage), unseen, spoken, other, board))
        (stage / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    publish(out, fill)
    return {"folder": str(out), **card}


def _learnt(texts: list[str], how: Training, board: Board) -> "Rust":
    """Train with a bar: the reading of the texts is what can be told, the learning after it is not."""
    from dragoman.nn.vocabulary import train

    with board.step("train") as tick:
        size, read = sum(map(len, texts)), 0

        def passing() -> Any:
            nonlocal read
            for place, text in enumerate(texts):
                read += len(text)
                if not place % 1000:
                    tick(0.9 * read / size, f"reading {many(len(texts), 'document')}")
                yield text
            tick(0.9, f"learning {how.size:,} tokens")

        rust = train(passing(), how)
        tick(1.0, f"{rust.get_vocab_size():,} tokens from {many(len(texts), 'document')}")
    return rust


def _open(spec: str) -> "Tokenizer":
    """The tokenizer of a folder, or of a model by name."""
    from dragoman.nn.tokenizer import Tokenizer

    folder = typed(spec)
    if not folder.is_dir():
        from dragoman.models.source import resolve

        folder = resolve(spec)
    return Tokenizer(folder)


def _languages(source: str) -> dict[str, list[str]]:
    """The texts of each language, in the order of the file."""
    found: dict[str, list[str]] = {}
    problems = []
    for row in scan(source):
        if not isinstance(row, Row):
            problems.append(row)
        elif isinstance(row.values.get("language"), str) and isinstance(row.values.get("text"), str):
            found.setdefault(row.values["language"], []).append(row.values["text"])
    refuse(problems, source)
    if not found:
        raise UserError(f"{source} has no rows with language and text", "give a file that has: languages=PATH")
    return found


def _measured(
    tokenizer: "Tokenizer",
    texts: list[str],
    spoken: Mapping[str, list[str]],
    other: "Tokenizer | None",
    board: Board,
) -> dict[str, Any]:
    """The figures of a card."""
    from dragoman.nn.fertility import cut, measure, ratio

    with board.step("measure") as tick:
        card: dict[str, Any] = {"size": tokenizer.size, "special": dict(tokenizer.special), "chat": tokenizer.chat}
        card["measured_on"] = len(texts)
        if other:
            card["against"] = {"size": other.size}
        if texts:
            ours = measure(tokenizer, texts)
            card |= _figures(ours.bytes_per_token, ours.tokens_per_word, ours.unknown_rate)
            if other:
                theirs = measure(other, texts)
                card["against"] |= _figures(theirs.bytes_per_token, theirs.tokens_per_word, theirs.unknown_rate)
                card["against"]["tokens_ratio"] = dump(ratio(ours.tokens, theirs.tokens))
        card["languages"] = {}
        for place, (language, rows) in enumerate(spoken.items()):
            tick(place / len(spoken), language)
            ours = measure(tokenizer, rows)
            row = _figures(ours.bytes_per_token, ours.tokens_per_word, ours.unknown_rate)
            row["tokens"] = sum(ours.tokens)
            if other:
                row["against_tokens"] = sum(measure(other, rows).tokens)
            card["languages"][language] = row
        sentences = _sentences([*texts, *(rows[0] for rows in spoken.values())])
        card["samples"] = [cut(tokenizer, sentence) for sentence in sentences]
        seen = [many(len(part), noun) for part, noun in ((texts, "document"), (spoken, "language")) if part]
        tick(1.0, " and ".join(seen) or "no texts")
    return card


def _figures(bytes_per_token: Estimate, tokens_per_word: Estimate, unknown_rate: float) -> dict[str, Any]:
    return {
        "bytes_per_token": dump(bytes_per_token),
        "tokens_per_word": dump(tokens_per_word),
        "unknown_rate": unknown_rate,
    }


def _sentences(texts: Sequence[str]) -> list[str]:
    """A few sentences, spread over the texts, short enough to be looked at."""
    step = max(1, len(texts) // _SAMPLES)
    lines = (max(re.split(r"(?<=[.!?])\s+|\n", text), key=len).strip()[:100] for text in texts[::step])
    return [line for line in lines if line][:_SAMPLES]


def _tell(card: Mapping[str, Any], settings: Settings, show: Show) -> None:
    """The card for a person."""
    roles = ", ".join(f"{role.removesuffix('_token')} {token}" for role, token in card["special"].items())
    rows = [("size", f"{card['size']:,} tokens"), ("special", roles or "none")]
    if "how" in card:
        rows.append(
            ("learnt from", f"{many(card['trained_on'], 'document')} of {card['source']}, {card['how']['kind']}")
        )
    rows.append(("dialogues", "yes, with its chat template" if card["chat"] else "no chat template"))
    if card["measured_on"]:
        kept = "" if settings.model else " kept out of training"
        rows += [("measured on", f"{many(card['measured_on'], 'document')}{kept}"), *_shown(card)]
    else:
        more = " against=..." if "against" in card else ""
        rows.append(("measured on", f"no texts: name them to see more, dragoman vocab SOURCE model=...{more}"))
    if "against" in card:
        there = card["against"]
        rows.append(("against", f"{settings.against}, {there['size']:,} tokens"))
        if card["measured_on"]:
            rows += [(f"  {name}", value) for name, value in _shown(there)]
            rows.append(("tokens here / there", figure(there["tokens_ratio"])))
    show.card(f"vocab {card['folder']}", rows)
    _tell_languages(card["languages"], show)
    if card["samples"]:
        show.table("how texts are cut", ("tokens", ""), [(str(len(row)), "│".join(row)) for row in card["samples"]])


def _shown(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("bytes a token", figure(card["bytes_per_token"])),
        ("tokens a word", figure(card["tokens_per_word"])),
        ("unknown", f"{card['unknown_rate']:.2%} of tokens"),
    ]


def _tell_languages(languages: Mapping[str, Mapping[str, Any]], show: Show) -> None:
    """What the same budget of tokens holds in each language; `times` is against the first of the file, which means most
    where the texts are translations of each other."""
    if not languages:
        return
    first = max(1, next(iter(languages.values()))["tokens"])
    compared = any("against_tokens" in row for row in languages.values())
    columns = ("language", "tokens", "times", "bytes a token", "tokens a word", "unknown")
    rows = []
    for language, row in languages.items():
        shown = [
            language,
            f"{row['tokens']:,}",
            f"{row['tokens'] / first:.2f}",
            f"{row['bytes_per_token']['value']:.2f}",
        ]
        shown += [f"{row['tokens_per_word']['value']:.2f}", f"{row['unknown_rate']:.2%}"]
        if row["unknown_rate"] > _LOST:
            shown[2:5] = ["not read", "", ""]
        rows.append([*shown, f"{row['against_tokens']:,}"] if compared else shown)
    show.table("languages", (*columns, "tokens there") if compared else columns, rows)
