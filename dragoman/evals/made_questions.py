"""Questions made from documents by rule, without any model, and what keeps a made question from being kept.

They share words with the documents, as a person's questions do not: figures on them flatter, words most of all.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dragoman.app.short_answer import span_in
from dragoman.app.wording import FUNCTION, content, listed, words
from dragoman.core.documents import Chunk
from dragoman.core.errors import UserError
from dragoman.core.sentences import Span, split_sentences
from dragoman.evals.questions import Place, Question
from dragoman.metrics._squad import plain

__all__ = ["RULE", "Made", "Written", "make_by_rule", "numbered", "sift"]

RULE = "rule"
READ = 40  # pieces that are read for each question that is wanted: of more there is nothing to choose
FEWEST, MOST = 6, 40  # words of a sentence that is asked about
LONGEST = 40  # words of a question or an answer
UNCLEAR = frozenset(
    listed(
        "it this that these those they he she we i you there here such his her its their our my your then thus however "
        "but and or so also what which who when where how why if as both each another other one some many most"
    )
)
"first words of sentences that may speak of something said before them"
LEADING = frozenset(listed("a an the of for with by from in into on at about"))
"words behind which a noun, or what describes one, is likely"
SUBJECT = r"(?P<subject>(?:(?:The|An?) )?[^\W\d_][\w'\N{RIGHT SINGLE QUOTATION MARK}-]*(?: [\w'-]+){0,4}?)"
DEFINED = re.compile(rf"^{SUBJECT} (?P<verb>is|are|was|were) (?P<answer>(?:an?|the|one of) [^;:]+?)[.]$")
GAPS = (
    ("date", "When?", "Which date is missing here"),
    ("number", "How many?", "Which number is missing here"),
    ("name", "Who?", "Which name is missing here"),
)
YEAR = re.compile(r"\b(?:1\d{3}|20\d{2})\b|[A-Z][a-z]+ \d|centur")
TELLING = re.compile(
    r"\b(?:this|the|that|above|given|following) (?:passage|text|paragraph|document|article|excerpt|section|author)\b"
    r"|\baccording to\b|\bmentioned\b|\bthe above\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Written:
    """A question with its answer, and the piece and the place in its text that the answer was taken from."""

    text: str
    answer: str
    chunk: Chunk
    start: int
    end: int
    kind: str = ""
    sentence: str = ""
    "the whole sentence that it was taken from, where that is known"


@dataclass(frozen=True, slots=True)
class Made:
    """The questions that were kept, and why others were not."""

    questions: tuple[Question, ...]
    dropped: dict[str, int]
    "how many were not kept for each reason"


def make_by_rule(
    chunks: Sequence[Chunk], n: int = 50, seed: int = 0, split: Callable[[str], Sequence[Span]] = split_sentences
) -> Made:
    """Up to `n` questions in English, taken by turns from every source and of every kind.

    What a sentence defines ("What is X?"), the date, number or name that is taken out of it (the inverse cloze task of
    Lee et al., 2019, 1906.00300), and what a heading says of a word that stands once under it. Raises UserError where
    no sentence makes one.
    """
    drawn = random.Random(seed)
    searched = [chunk for chunk in chunks if not chunk.is_parent]
    read = drawn.sample(searched, min(len(searched), READ * n))
    spread = Counter(word for chunk in read for word in {one.plain for one in content(words(chunk.text))})
    found = [one for chunk in read for one in _of_piece(chunk, spread, split)]
    kept, dropped = sift(found, read)
    chosen = list(_by_turns(kept, n))
    if not chosen:
        raise UserError(
            "no question could be made from the documents by rule",
            'let a model write them: writer=hf:OWNER/NAME, or write some: {"question": "...", "answers": ["..."]}',
        )
    return Made(numbered(chosen, RULE), dropped)


def numbered(written: Sequence[Written], by: str) -> tuple[Question, ...]:
    """The questions with their ids, their answers, and where these stand in the documents."""
    return tuple(
        Question(f"made-{number}", one.text, (one.answer,), (_place(one),), by) for number, one in enumerate(written, 1)
    )


def sift(written: Sequence[Written], read: Sequence[Chunk]) -> tuple[list[Written], dict[str, int]]:
    """Those that test a search, in their order, and how many were dropped for each reason.

    An answer stands in its piece word for word, in no other source that was read, and not in its question; a question
    is asked once, has one answer, is of a decent length and does not speak of the text it was made from.
    """
    dropped: Counter[str] = Counter()
    answers: dict[str, set[str]] = defaultdict(set)
    for one in written:
        answers[plain(one.text)].add(plain(one.answer))
    texts = {chunk.source: "" for chunk in read}
    for chunk in read:
        texts[chunk.source] += f" {' '.join(chunk.text.split())}"
    seen: set[str] = set()
    kept = []
    for one in written:
        key = plain(one.text)
        why = _fault(one)
        if not why and len(answers[key]) > 1:
            why = "has several answers"
        elif not why and key in seen:
            why = "was asked before"
        elif not why and _elsewhere(one, texts):
            why = "is answered by another source too"
        if why:
            dropped[why] += 1
        else:
            seen.add(key)
            kept.append(one)
    return kept, dict(dropped)


def _fault(one: Written) -> str:
    """What is wrong with a question by itself; empty where nothing is."""
    asked, answer = plain(one.text), plain(one.answer)
    text = one.chunk.text
    cut = one.answer[0].isalnum() and text[: one.start][-1:].isalnum() if one.answer else True
    cut |= one.answer[-1:].isalnum() and text[one.end : one.end + 1].isalnum()
    if not answer or cut or text[one.start : one.end] != one.answer:
        return "has an answer that does not stand in the text"
    if f" {answer} " in f" {asked} ":
        return "holds its own answer"
    if not 3 <= len(asked.split()) <= LONGEST + MOST or len(answer.split()) > LONGEST:
        return "is too short or too long"
    if not content(words(one.text)) or TELLING.search(one.text):
        return "speaks of the text instead of what it says"
    return ""


def _elsewhere(one: Written, texts: dict[str, str]) -> bool:
    """Whether another source holds the sentence that the answer was taken from."""
    said = " ".join((one.sentence or _around(one)).split())
    return any(said in text for source, text in texts.items() if source != one.chunk.source)


def _around(one: Written) -> str:
    """The sentence that an answer stands in, or the answer itself where it is more than one."""
    text = one.chunk.text
    found = [text[start:end] for start, end in split_sentences(text) if start <= one.start and one.end <= end]
    return found[0] if found else one.answer


def _place(one: Written) -> Place:
    return Place(one.chunk.source, one.chunk.start + one.start, one.chunk.start + one.end)


def _by_turns(written: Iterable[Written], n: int) -> Iterator[Written]:
    """Up to `n`, one a source in each round: of sentences not asked about yet, and of kinds taken least, the first."""
    by_source: dict[str, list[Written]] = defaultdict(list)
    for one in written:
        by_source[one.chunk.source].append(one)
    taken: Counter[str] = Counter()
    asked: Counter[tuple[str, str]] = Counter()
    while by_source and sum(taken.values()) < n:
        for source in sorted(by_source):
            if sum(taken.values()) < n:
                one = _next(by_source[source], asked, taken)
                by_source[source].remove(one)
                taken[one.kind] += 1
                asked[source, one.sentence] += 1
                yield one
        by_source = {source: left for source, left in by_source.items() if left}


def _next(left: Sequence[Written], asked: Mapping[tuple[str, str], int], taken: Mapping[str, int]) -> Written:
    return min(left, key=lambda one: (asked[one.chunk.source, one.sentence], taken[one.kind]))


def _of_piece(chunk: Chunk, spread: Counter[str], split: Callable[[str], Sequence[Span]]) -> Iterator[Written]:
    """Every question of a piece, at most one of each kind a sentence."""
    for start, end in split(chunk.text):
        sentence = chunk.text[start:end]
        own = words(sentence)
        letters = sum(letter.isalpha() or letter.isspace() for letter in sentence)
        if not FEWEST <= len(own) <= MOST or sentence[-1:] != "." or letters < 0.75 * len(sentence):
            continue  # a heading, a row of a table, code
        if "\n\n" in sentence or not sentence[0].isalnum() or own[0].plain in UNCLEAR:
            continue
        yield from _defined(sentence, start, chunk)
        yield from _gapped(sentence, start, chunk)
        yield from _under_heading(sentence, start, chunk, spread)


def _defined(sentence: str, at: int, chunk: Chunk) -> Iterator[Written]:
    flat = sentence.replace("\n", " ")
    found = DEFINED.match(flat)
    if not found:
        return
    first, _, rest = found["subject"].partition(" ")
    article = first in ("The", "A", "An")
    named = words(rest if article else found["subject"])
    if not named or any(word.plain in FUNCTION and word.plain != "of" for word in named):
        return  # "What remains is a", "Return it if there is a"
    subject = f"{first.lower()} {rest}" if article else found["subject"]
    start, end = at + found.start("answer"), at + found.end("answer")
    yield Written(f"What {found['verb']} {subject}?", chunk.text[start:end], chunk, start, end, "definition", sentence)


def _gapped(sentence: str, at: int, chunk: Chunk) -> Iterator[Written]:
    """The sentence with a date, a number or a name taken out."""
    for kind, asks, opening in GAPS:
        span = span_in(asks, sentence)
        if span is None or not _stands_alone(sentence, span) or not _fits(kind, sentence[slice(*span)], span[0]):
            continue
        left = " ".join(f"{sentence[: span[0]]}___{sentence[span[1] :]}".split())
        start, end = at + span[0], at + span[1]
        yield Written(f"{opening}: {left}", chunk.text[start:end], chunk, start, end, kind, sentence)


def _fits(kind: str, answer: str, at: int) -> bool:
    """Whether a gap is surely of its kind: what a sentence begins with is mostly no name, and 128 no date."""
    if kind == "name":
        return at > 0 and len(answer) > 2
    return kind != "date" or YEAR.search(answer) is not None


def _stands_alone(sentence: str, span: Span) -> bool:
    """Whether a place in a sentence is made of whole words, and not of a part of `50,000` or of `AF_INET6`."""
    before, after = sentence[: span[0]], sentence[span[1] :]
    return re.search(r"(?:^|[\s\"(])$", before) is not None and re.match(r"[,;:]?\s|[.)\"?!]", after) is not None


def _under_heading(sentence: str, at: int, chunk: Chunk, spread: Counter[str]) -> Iterator[Written]:
    """What the heading says of the word of the sentence that fewest pieces have, where it stands in one alone."""
    heading = re.sub(r"^[\d.]+\s+", "", chunk.path[-1]) if chunk.path else ""
    if not heading or len(heading.split()) > 8 or not re.fullmatch(r"[\w\s,.:'/&-]+", heading):
        return
    known = {word.plain for part in chunk.path for word in words(part)}
    own = words(sentence)
    nouns = [
        word
        for before, word in pairwise(own)
        if before.plain in LEADING and word.plain not in known | FUNCTION and not word.number
    ]
    rare = [word for word in nouns if len(word.plain) > 3 and spread[word.plain] == 1]
    if rare:
        word = max(rare, key=lambda one: len(one.plain))
        text = f"What does {heading} say about {sentence[word.start : word.end]}?"
        yield Written(text, sentence, chunk, at, at + len(sentence), "heading", sentence)
