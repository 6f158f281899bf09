"""Builds a corpus: raw text is refined in parts, doubles are taken out, and what is left is tokenised into shards.

Every part is published as a folder beside the target, so a build that was killed goes on from those that are whole and
ends with the same bytes. Memory does not grow with the text: two blocks a worker are held, and a few bytes a document.
"""

import hashlib
import json
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman import __version__
from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.disk import beside, remove, typed
from dragoman.core.errors import UserError
from dragoman.core.shards import PARTS, Corpus, Writer, open_corpus, seal
from dragoman.core.show import Board, Tick, many
from dragoman.core.sizing import parse_bytes
from dragoman.data.doubles import Parts, alike, flag_exact, flag_near, flag_pieces_of, new_flags
from dragoman.data.problems import Problem, refuse
from dragoman.data.refine import Rules
from dragoman.data.sources import File, find
from dragoman.stages.corpus_facts import facts_of_source, filters_of, nothing_left
from dragoman.stages.corpus_parts import Block, Piece, Tokens, facts_of, raw_digest, refine_block, tokenise
from dragoman.stages.corpus_settings import Settings, rules_of, sources_of
from dragoman.stages.corpus_tokenizer import given_tokenizer, make_tokenizer
from dragoman.stages.crew import Crew
from dragoman.stages.shares import Kept, Share, choose_share
from dragoman.stages.texts import stream

__all__ = ["build", "size_of"]

_MORE = 10_000  # documents that are still read after one that is refused, to name more of them at once
_FREE = ("out", "workers", "block")  # settings that change nothing of what comes out


@dataclass(frozen=True)
class _Job:
    """What one build works with."""

    settings: Settings
    sources: Sequence[str]
    rules: Rules
    work: Path
    crew: Crew
    board: Board


@dataclass(frozen=True)
class _Read:
    """A source after it was read: its parts, their facts, and what was said while it was read."""

    source: str
    folders: list[Path]
    facts: list[dict[str, Any]]
    digests: list[str]
    said: list[str]
    problems: dict[str, int]


def build(settings: Settings, board: Board) -> Corpus:
    """Build the corpus that the settings ask for into `settings.out`, or open it where it stands there already.

    The same settings and texts give the same bytes, whatever the number of workers and however often the build was
    killed. Raises UserError where a source cannot be read, nothing of it is left, or the folder holds something else.
    """
    sources, rules, out = sources_of(settings), rules_of(settings), typed(settings.out)
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]) and not (out / "corpus.json").is_file():
        raise UserError(f"{out} holds something that is no corpus", "write elsewhere: out=corpus-2")
    with board.step("inputs") as tick:
        inputs = [_input(source, tick) for source in sources]
        tick(1.0, many(sum(len(found) for found in inputs), "input"))
    given = given_tokenizer(settings)
    made = _sum({"settings": _lasting(settings), "inputs": inputs, "tokenizer": given, "version": __version__})
    work = beside(out, "parts")
    if "-" not in sources and _stands(out, made):
        remove(work)  # a kill between the last two steps of a build left it
        return open_corpus(out)
    _refuse_another(out, sources)
    with durable.lock(work), Crew(settings.workers) as crew:
        _begin(work, _sum([made, settings.block]))
        job = _Job(settings, sources, rules, work, crew, board)
        read = [_read(job, number, source) for number, source in enumerate(sources)]
        kept, shares = _compare(job, read)
        tokenizer, told = make_tokenizer(settings, _pieces(job, read, kept, shares, Path(), ""), work, board)
        with board.step("tokenise") as tick:
            pieces = _pieces(job, read, kept, shares, tokenizer, told["digest"])
            tokens = _tokenise(job, pieces, tick)
        with board.step("shards") as tick:
            facts: dict[str, Any] = {
                "made": made,
                "version": __version__,
                "settings": _lasting(settings),
                "tokenizer": told,
            }
            facts["inputs"] = inputs

            def fill(stage: Path) -> None:
                _assemble(stage, job, read, kept, (tokenizer, pieces, tokens), facts)

            durable.publish(out, fill, needed=4 * sum(facts["bytes"] for one in read for facts in one.facts) // 3)
            corpus = open_corpus(out)
            tick(1.0, many(sum(part.tokens for name in PARTS for part in corpus.part(name)), "token"))
    remove(work)
    return corpus


def _read(job: _Job, number: int, source: str) -> _Read:
    """Read and refine a source."""
    found = _Read(source, [], [], [], [], {})
    with job.board.step(f"read {source}") as tick:
        begun, size = time.monotonic(), 0
        total = size_of(source)
        for block, facts in job.crew.work(refine_block, _blocks(job, number, source, found)):
            found.folders.append(block.folder)
            found.facts.append(facts)
            found.digests.append(block.digest)
            size += facts["read_bytes"]
            speed = size / 1e6 / max(1e-9, time.monotonic() - begun)
            tick(size / total if total else 0.0, f"{size / 1e6:,.1f} MB, {speed:.1f} MB/s")
        documents = sum(facts["documents"] for facts in found.facts)
        words = [f"{many(documents, 'document')} of {sum(facts['read'] for facts in found.facts):,}", *found.said]
        tick(1.0, "; ".join([*words, f"{size / 1e6:,.1f} MB"]))
    if not documents:
        raise nothing_left(source, found.facts)
    return found


def _blocks(job: _Job, number: int, source: str, found: _Read) -> Iterator[Block]:
    """The documents of a source in blocks, each with the folder of its part."""
    size, texts, place = 0, list[str](), 0
    most = parse_bytes(job.settings.block, "block")
    for text in _documents(job, source, found):
        texts.append(text)
        size += len(text)
        if size >= most:
            yield _block(job, number, place, texts)
            size, texts, place = 0, [], place + 1
    if texts:
        yield _block(job, number, place, texts)


def _block(job: _Job, number: int, place: int, texts: list[str]) -> Block:
    return Block(texts, job.work / f"part-{number:02d}-{place:06d}", job.rules, raw_digest(texts))


def _documents(job: _Job, source: str, found: _Read) -> Iterator[str]:
    """The documents that can be read; the others are refused together, or counted."""
    refused: list[Problem] = []
    since = 0
    for one in stream(source, job.settings.column, job.settings.split, found.said):
        since += bool(refused)
        if not isinstance(one, Problem):
            if not refused:
                yield one
        elif one.refused and not job.settings.keep_going:
            refused.append(one)
        else:
            found.problems[one.name] = found.problems.get(one.name, 0) + 1
        if since > _MORE:
            break
    refuse(refused, source, "keep_going=true leaves them out and counts them")


def _compare(job: _Job, read: Sequence[_Read]) -> tuple[Kept, list[Share]]:
    """Find what stands twice among all parts, and which documents are for validation."""
    folders = tuple(folder for one in read for folder in one.folders)
    every = [facts for one in read for facts in one.facts]
    digest = _sum([job.work.absolute().as_posix(), [one.digests for one in read]])
    documents = Parts(folders, _offsets([facts["documents"] for facts in every]), False, digest)
    pieces = Parts(folders, _offsets([facts["pieces"] for facts in every]), True, digest)
    target = job.work / "verdicts"
    with job.board.step("compare") as tick:
        if facts_of(target, digest) is None:

            def fill(stage: Path) -> None:
                flags = new_flags(stage / "documents.flags", documents.count)
                piece_flags = new_flags(stage / "pieces.flags", pieces.count) if job.rules.paragraph else None
                if job.settings.doubles:
                    _flag(job, documents, pieces, (flags, piece_flags), tick)
                (stage / "facts.json").write_text(json.dumps({"digest": digest}), encoding="utf-8")

            durable.publish(target, fill)
        flags = np.fromfile(target / "documents.flags", np.uint8)
        piece_flags = np.fromfile(target / "pieces.flags", np.uint8) if job.rules.paragraph else None
        kept = Kept(documents, flags, pieces, piece_flags)
        shares = [choose_share(kept, _places(read, number), job.settings.held_out) for number in range(len(read))]
        tick(1.0, f"{many(int(np.count_nonzero(flags)), 'document')} of {documents.count:,} stood there already")
    return kept, shares


def _flag(
    job: _Job, documents: Parts, pieces: Parts, flags: tuple[NDArray[np.uint8], NDArray[np.uint8] | None], tick: Tick
) -> None:
    """Mark doubles among documents, then among the paragraphs of those that stay."""
    whole, parts = flags

    def compare(tasks: Any) -> Iterator[Any]:
        return job.crew.work(alike, tasks)

    tick(0.1, "documents")
    flag_exact(documents, "documents", whole)
    if job.rules.near < 1:
        flag_near(documents, "documents-near", whole, job.work, compare, job.rules.near)
    if parts is not None:
        tick(0.5, "paragraphs")
        flag_pieces_of(pieces, documents, parts, whole)
        flag_exact(pieces, "paragraphs", parts, documents)
        if job.rules.near < 1:
            flag_near(pieces, "paragraphs-near", parts, job.work, compare, job.rules.near, documents)


def _pieces(
    job: _Job, read: Sequence[_Read], kept: Kept, shares: Sequence[Share], tokenizer: Path, digest: str
) -> list[Piece]:
    """What a worker needs to know of each part to tokenise it."""
    verdicts = job.work / "verdicts"
    known = _sum([digest, [one.digests for one in read]])
    found: list[Piece] = []
    for one, share in zip(read, shares, strict=True):
        for folder in one.folders:
            place = len(found)
            piece_flags = verdicts / "pieces.flags" if kept.piece_flags is not None else None
            first, first_piece = int(kept.documents.offsets[place]), int(kept.pieces.offsets[place])
            target = job.work / folder.name.replace("part", "tokens")
            at = (folder, verdicts / "documents.flags", first, piece_flags, first_piece)
            found.append(Piece(*at, share, tokenizer, target, known))
    return found


def _tokenise(job: _Job, pieces: Sequence[Piece], tick: Tick) -> list[dict[str, Any]]:
    begun, size, found = time.monotonic(), 0, list[dict[str, Any]]()
    for _, facts in job.crew.work(tokenise, pieces):
        found.append(facts)
        size += sum(facts[part]["bytes"] for part in PARTS)
        speed = size / 1e6 / max(1e-9, time.monotonic() - begun)
        tick(len(found) / len(pieces), f"{size / 1e6:,.1f} MB, {speed:.1f} MB/s")
    return found


def _assemble(
    stage: Path,
    job: _Job,
    read: Sequence[_Read],
    kept: Kept,
    made: tuple[Path, Sequence[Piece], Sequence[dict[str, Any]]],
    facts: dict[str, Any],
) -> None:
    """Write shards, tokenizer and corpus.json."""
    tokenizer, pieces, tokens = made
    vocabulary = facts["tokenizer"]["size"]
    entries: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    for number, one in enumerate(read):
        places = _places(read, number)
        for part in PARTS:
            with Writer(stage / f"{part}-{number}", one.source, vocabulary) as writer:
                for place in places:
                    found = Tokens.open(pieces[place].folder, part)
                    writer.add(found.stream, found.lengths, found.sizes)
                entries[part].append(writer.close())
        if not entries["train"][-1]["tokens"]:
            raise nothing_left(one.source, one.facts, "all that is left was held out")
    weights = job.settings.weights or [float(entry["tokens"]) for entry in entries["train"]]
    (stage / "tokenizer").mkdir()
    for file in sorted(tokenizer.iterdir()):
        (stage / "tokenizer" / file.name).write_bytes(file.read_bytes())
    listed = []
    for number, one in enumerate(read):
        places = _places(read, number)
        told = facts_of_source(one.source, one.facts, one.problems, one.said, kept, places)
        told["weight"] = weights[number] / sum(weights)
        told["unknown_tokens"] = sum(tokens[place]["unknown"] for place in places)
        told |= {
            part: {name: entries[part][number][name] for name in ("documents", "bytes", "tokens")} for part in PARTS
        }
        listed.append(told)
    seal(stage, vocabulary, weights, entries, {**facts, "sources": listed, "filters": filters_of(listed)})


def _input(source: str, tick: Tick) -> list[dict[str, Any]]:
    """What tells the text of a source from another: its files by their bytes, or its name."""
    if source == "-" or source.startswith(("builtin:", "hf:")):
        return [{"name": source}]
    found = []
    for file in find(source, Path()):
        if isinstance(file, File):
            tick(0.0, file.name)
            found.append({"name": file.name, "size": file.path.stat().st_size, "sha256": durable.digest(file.path)})
    return found


def size_of(source: str) -> int:
    """The bytes of a source on the disk, 0 where nobody knows them before."""
    if source == "-" or source.startswith(("builtin:", "hf:")):
        return 0
    return sum(file.path.stat().st_size for file in find(source, Path()) if isinstance(file, File))


def _refuse_another(out: Path, sources: Sequence[str]) -> None:
    """Raise UserError where the corpus of other sources stands in the way; one of the same is built anew."""
    try:
        settings = json.loads((out / "corpus.json").read_text(encoding="utf-8"))["settings"]
        theirs = str(settings["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing, or what is damaged
    if theirs not in (" ".join(sources), *(sources if len(sources) == 1 else ())) and shlex.split(theirs) != sources:
        raise UserError(f"{out} holds the corpus of {theirs}", "write elsewhere: out=corpus-2, or remove that folder")


def _stands(out: Path, made: str) -> bool:
    """Whether this very corpus is there already, whole."""
    try:
        return bool(json.loads((out / "corpus.json").read_text(encoding="utf-8"))["made"] == made) and not (
            durable.problems(out)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _begin(work: Path, key: str) -> None:
    """An empty working folder, or that of the same build; what stands there of another is removed."""
    mark = work / "build.json"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != key:
        for old in work.iterdir():
            if old.name != ".lock":
                remove(old)
        durable.write(mark, key.encode())


def _lasting(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in dump(settings).items() if name not in _FREE}


def _sum(value: Any) -> str:
    return hashlib.sha256(json.dumps(durable.plain(value), sort_keys=True).encode()).hexdigest()


def _offsets(counts: Sequence[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *counts], dtype=np.int64)


def _places(read: Sequence[_Read], number: int) -> range:
    """The parts of one source among all parts."""
    first = sum(len(one.folders) for one in read[:number])
    return range(first, first + len(read[number].folders))
