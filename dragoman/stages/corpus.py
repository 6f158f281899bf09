"""Make a corpus of raw text: cleaned, filtered, without doubles and secrets, tokenised into shards to train on.

The same command goes on where it was killed; built already, it only shows the card.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dragoman.core.errors import UserError
from dragoman.core.shards import Corpus
from dragoman.core.show import Board, Show, many
from dragoman.core.sizing import show_bytes
from dragoman.stages.corpora import build
from dragoman.stages.corpus_settings import Settings

__all__ = ["PLACES", "SECTIONS", "Settings", "card_of", "run"]

PLACES = ("source",)
SECTIONS = False


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Build, then show what became of the text."""
    with show.board("corpus") as board:
        corpus = _built(settings, board)
    facts = corpus.facts
    show.card(f"corpus {corpus.folder}", card_of(facts))
    _tell_sources(facts["sources"], show)
    _tell_filters(facts["filters"], show)
    told = {name: facts[name] for name in ("sources", "filters", "tokenizer", "vocabulary", "dtype", "weights", "made")}
    show.result({"folder": str(corpus.folder), **told})
    return 0


def _built(settings: Settings, board: Board) -> Corpus:
    """The corpus; what is wrong with the place is mended by another one, which is `out` here."""
    try:
        return build(settings, board)
    except UserError as error:
        raise UserError(error.problem, error.hint.replace("runs=PATH", "out=FOLDER")) from error


def card_of(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The card of a corpus for a person: what was read, what is left, and what was done."""
    sources = facts["sources"]
    read = _total(sources, "read")
    rows = [("read", f"{many(read['documents'], 'document')}, {show_bytes(read['bytes'])}")]
    for part in ("train", "validation"):
        found = _total(sources, part)
        words = (
            f"{many(found['documents'], 'document')}, {show_bytes(found['bytes'])}, {many(found['tokens'], 'token')}"
        )
        rows.append((part, words))
    twice = [source["double_documents"] for source in sources]
    rows.append(("stood twice", ", ".join(_kinds(twice, "document"))))
    pieces = [source["double_paragraphs"] for source in sources if "double_paragraphs" in source]
    if pieces:
        rows.append(("paragraphs twice", ", ".join(_kinds(pieces, "paragraph"))))
    for name, key in (
        ("masked", "masked"),
        ("cleaned", "changed"),
        ("languages", "languages"),
        ("problems", "problems"),
    ):
        counts = _counts(sources, key)
        if counts:
            rows.append((name, counts))
    unknown = sum(source["unknown_tokens"] for source in sources)
    rows.append(("tokenizer", f"{facts['tokenizer']['size']:,} tokens, {facts['tokenizer']['from']}"))
    if unknown:
        rows.append(("unknown", many(unknown, "token")))
    return rows


def _tell_sources(sources: Sequence[Mapping[str, Any]], show: Show) -> None:
    columns = ("source", "weight", "read", "dropped", "twice", "train", "validation", "tokens")
    rows = []
    for source in sources:
        train, unseen = source["train"], source["validation"]
        counts = [
            source["read"]["documents"],
            sum(source["dropped"].values()),
            sum(source["double_documents"].values()),
        ]
        counts += [train["documents"], unseen["documents"], train["tokens"] + unseen["tokens"]]
        rows.append([source["source"], f"{source['weight']:.3f}", *(f"{count:,}" for count in counts)])
    show.table("sources", columns, rows)


def _tell_filters(filters: Sequence[Mapping[str, Any]], show: Show) -> None:
    rows = [[row["name"], f"{row['count']:,}", (row["examples"] or [""])[0].replace("\n", " ")] for row in filters]
    if rows:
        show.table("what was dropped", ("filter", "documents", "the first"), rows)


def _total(sources: Sequence[Mapping[str, Any]], part: str) -> dict[str, int]:
    return {name: sum(source[part][name] for source in sources) for name in sources[0][part]}


def _kinds(found: Sequence[Mapping[str, int]], noun: str) -> list[str]:
    return [
        f"{many(sum(one[kind] for one in found), noun)} {word}"
        for kind, word in (("exact", "exactly"), ("near", "nearly"))
    ]


def _counts(sources: Sequence[Mapping[str, Any]], key: str) -> str:
    names = sorted({name for source in sources for name in source[key]})
    sums = {name: sum(source[key].get(name, 0) for source in sources) for name in names}
    return ", ".join(f"{name} {count:,}" for name, count in sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])))
