"""The words and settings of `dragoman corpus`, and what they say of one another."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from dragoman.core.config import nearest
from dragoman.core.disk import typed
from dragoman.core.errors import UserError
from dragoman.core.sizing import parse_bytes
from dragoman.data.language import LANGUAGES
from dragoman.data.masked import MASKS
from dragoman.data.quality import Quality
from dragoman.data.refine import Rules
from dragoman.nn.recipe import Training

__all__ = ["Settings", "rules_of", "sources_of"]

_NAME = "name it: dragoman corpus SOURCE"


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman corpus`."""

    source: str = ""
    """The text: a path or pattern (txt, jsonl, csv, parquet), - for standard input, builtin:stdlib,
    builtin:stdlib-source, builtin:stdlib-topics, or hf:owner/name; several in quotes, with spaces between."""
    out: str = "corpus"
    "The folder that the corpus is written to."
    weights: tuple[float, ...] = ()
    "The share of each source among the rows of training, in their order, such as [3, 1]; empty is by their tokens."
    column: str = ""
    "The column of a table that holds the text; empty guesses, and says what it took."
    split: str = "file"
    "What is one document of a text file: file, paragraph, line, or the mark between two, such as <|endoftext|>."
    tokenizer: str = ""
    "A folder or model whose tokenizer is used, or characters for one token a character; empty trains one."
    sample: str = "64 MB"
    "How much of the training text a tokenizer is trained on at most."
    held_out: float = 0.05
    "The share of each source that is kept out of training, by documents; of a single document its end."
    clean: bool = True
    "Whether characters are composed (Unicode NFC), line ends made one kind and control characters taken out."
    mask: str = "all"
    "What is masked: all (secrets and personal data), secrets, or none."
    languages: tuple[str, ...] = ()
    'The languages that are kept, such as ["en", "de"], by a hint; empty keeps all, and counts them.'
    doubles: bool = True
    "Whether documents that stand twice are taken out."
    near: float = 0.8
    "How much two documents or paragraphs overlap to be the same nearly (Jaccard); 1 compares exactly alone."
    paragraph: int | None = None
    """Paragraphs of so many characters that stand in an earlier document are taken out; 0 looks at documents alone.
    Empty is 200, and 0 for quality.preset=code: a program without one of its functions is none."""
    keep_going: bool = False
    "Whether rows that cannot be read are left out and counted, instead of refused."
    workers: int = 0
    "How many processes work; 0 is one a core. The result is the same whatever the number."
    block: str = "8 MB"
    "How much text one process takes at a time; the result is the same whatever it is."
    quality: Quality = field(default_factory=Quality)
    "Which documents are text worth learning from."
    how: Training = field(default_factory=Training)
    "The tokenizer that is trained."


def sources_of(settings: Settings) -> list[str]:
    """The sources one after another. Raises UserError where a setting of theirs cannot be met."""
    whole = settings.source
    if not whole.strip():
        raise UserError("no text is named", _NAME)
    try:
        found = [whole] if typed(whole).exists() else shlex.split(whole)
    except (ValueError, OSError):  # an odd quote, or a text far too long for a path
        found = whole.split()
    twice = next((one for one in found if found.count(one) > 1), None)
    if twice is not None:
        raise UserError(f"{twice} is named twice", "name each source once; weights=[2, 1] makes one of them count more")
    if settings.weights and len(settings.weights) != len(found):
        said = f"{len(settings.weights)} weights are given for {len(found)} sources"
        raise UserError(said, "give one for each, in their order: weights=[3, 1]")
    if any(not 0 < weight < float("inf") for weight in settings.weights):
        raise UserError("a weight is not above zero", "leave out what is not wanted, or give it more: weights=[3, 1]")
    return found


def rules_of(settings: Settings) -> Rules:
    """What is done to each document. Raises UserError where a setting is none that can be met."""
    if not 0.0 < settings.held_out < 1.0:
        raise UserError(f"held_out cannot be {settings.held_out:g}", "a share of the text: held_out=0.05")
    if not 0.5 <= settings.near <= 1.0:
        raise UserError(f"near cannot be {settings.near:g}", "an overlap from 0.5 to 1: near=0.8")
    if settings.mask not in MASKS:
        raise UserError(f"mask cannot be '{settings.mask}'", f"{nearest(settings.mask, MASKS)}; say mask=all")
    strange = next((one for one in settings.languages if one not in LANGUAGES), None)
    if strange is not None:
        hint = f'{nearest(strange, LANGUAGES)}; say languages=["en"]'
        raise UserError(f"there is no hint for a language '{strange}'", hint)
    if (settings.paragraph or 0) < 0 or not 0 <= settings.workers <= 1024 or not settings.split:
        raise UserError("paragraph, workers or split cannot be so", "leave them out for what is usual: workers=0")
    if settings.tokenizer and settings.tokenizer != "characters" and not _opens(settings.tokenizer):
        hint = "give a folder that dragoman vocab wrote, or leave it out to train one"
        raise UserError(f"there is no tokenizer '{settings.tokenizer}'", hint)
    parse_bytes(settings.sample, "sample")
    parse_bytes(settings.block, "block")
    return Rules(
        clean=settings.clean,
        quality=settings.quality,
        languages=settings.languages,
        mask=settings.mask,
        near=settings.near if settings.doubles else 1.0,
        paragraph=_paragraph(settings) if settings.doubles else 0,
    )


def _paragraph(settings: Settings) -> int:
    if settings.paragraph is None:
        return 0 if settings.quality.preset == "code" else 200
    return settings.paragraph


def _opens(spec: str) -> bool:
    return Path(typed(spec)).is_dir() or spec.startswith(("hf:", "builtin:"))
