"""The tokenizer of a corpus: one that is given, one a character, or one trained on a sample of the training text."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.disk import typed
from dragoman.core.show import Board, Tick, many
from dragoman.core.sizing import parse_bytes
from dragoman.stages.corpus_parts import Piece, facts_of, unseen_and_seen
from dragoman.stages.corpus_settings import Settings

__all__ = ["given_tokenizer", "make_tokenizer"]


def make_tokenizer(
    settings: Settings, pieces: Sequence[Piece], work: Path, board: Board
) -> tuple[Path, dict[str, Any]]:
    """The folder of the tokenizer, and what is to be known of it: where from, size, digest.

    Raises UserError where the one that is given cannot be opened, or none can be trained on this text.
    """
    from dragoman.nn.tokenizer import Tokenizer

    target = work / "vocabulary"
    known = hashlib.sha256(f"{pieces[0].digest} {given_tokenizer(settings)}".encode()).hexdigest()
    with board.step("tokenizer") as tick:
        done = facts_of(target, known)
        facts: dict[str, Any] = done["told"] if done else {}
        if not done:

            def fill(stage: Path) -> None:
                (stage / "tokenizer").mkdir()
                facts.update(_write(settings, pieces, stage / "tokenizer", tick))
                facts["size"] = Tokenizer(stage / "tokenizer").size
                facts["digest"] = durable.digest(stage / "tokenizer")
                kept = {"told": facts, "digest": known}
                (stage / "facts.json").write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")

            durable.publish(target, fill)
        tick(1.0, f"{many(facts['size'], 'token')}, {facts['from']}")
    return target / "tokenizer", facts


def given_tokenizer(settings: Settings) -> str:
    """What the tokenizer depends on besides the text; a folder counts by its bytes, for another may stand there now."""
    if settings.tokenizer and settings.tokenizer != "characters" and typed(settings.tokenizer).is_dir():
        return "".join(durable.digest(file) for file in sorted(typed(settings.tokenizer).glob("*token*")))
    return json.dumps([settings.tokenizer, settings.sample, dump(settings.how)])


def _write(settings: Settings, pieces: Sequence[Piece], folder: Path, tick: Tick) -> dict[str, Any]:
    from dragoman.nn.tokenizer import Tokenizer

    if settings.tokenizer == "characters":
        from dragoman.nn.alphabet import spell, write_alphabet

        found: set[str] = set()
        for number, piece in enumerate(pieces):
            tick(number / len(pieces), "reading characters")
            found.update(*unseen_and_seen(piece)[1])
        write_alphabet(spell(found), folder)
        return {"from": "the characters of the training text"}
    if settings.tokenizer:
        from dragoman.models.source import resolve

        given = typed(settings.tokenizer)
        Tokenizer(given if given.is_dir() else resolve(settings.tokenizer)).save(folder)
        return {"from": settings.tokenizer}
    from dragoman.nn.vocabulary import train, write

    most, size = parse_bytes(settings.sample, "sample"), 0

    def sample() -> Iterator[str]:
        nonlocal size
        for text in _sampled(pieces, most, tick):
            size += len(text.encode())
            yield text
        tick(0.9, f"learning {settings.how.size:,} tokens")

    write(train(sample(), settings.how), settings.how, folder)
    return {"from": f"trained on {size / 1e6:,.1f} MB", "how": dump(settings.how), "trained_bytes": size}


def _sampled(pieces: Sequence[Piece], most: int, tick: Tick) -> Iterator[str]:
    """The training texts, or as many of them as make up `most` bytes, spread over all: a digest chooses."""
    whole = sum((piece.part / "text.bin").stat().st_size for piece in pieces)
    bound = min(1.0, most / max(1, whole)) * 2**64
    given = 0
    for number, piece in enumerate(pieces):
        tick(0.9 * number / len(pieces), "reading texts")
        for text in unseen_and_seen(piece)[1]:
            drawn = hashlib.blake2b(text.encode(), digest_size=8, person=b"sample").digest()
            if int.from_bytes(drawn) < bound or (not given and piece is pieces[-1]):
                given += 1
                yield text
