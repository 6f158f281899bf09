"""Whether a sentence stands on a passage: its words in one place of it, its numbers and names in it, no new denial."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dragoman.app.passages import BRACKETED, Passage
from dragoman.app.wording import DENIALS, Word, content, denies, names, numbers, same_word, words
from dragoman.core.sentences import Span, split_sentences

__all__ = ["ENOUGH", "Evidence", "Ground", "evidence_of", "supports"]

ENOUGH = 0.5
"""The share of content words from which a sentence counts as supported, chosen on every second paragraph of XQuAD
(English): 439 questions made statements with their answers, 91 % held at 0.5 and 86 % at 0.6, and of the same against
another paragraph of the article 98 % and 99 % were found out. The test of this file measures on the other half."""
NEIGHBOURS = 3  # sentences of a passage that may support one sentence together
START = 4  # first letters that two forms of a word share
SAME = 0.8  # the share of a sentence's words from which another one that lacks its denial says the opposite


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the best passage says of a sentence."""

    number: int
    "of that passage; 0 where there is none"
    share: float
    "of the sentence's content words that stand together in it, 0 to 1"
    problems: tuple[str, ...] = ()
    "what speaks against it, such as `1997 is not in it`"

    def holds(self, enough: float = ENOUGH) -> bool:
        """Whether the sentence counts as supported."""
        return not self.problems and self.number > 0 and self.share >= enough


@dataclass(frozen=True, slots=True)
class Ground:
    """A passage, made ready to be compared with many sentences."""

    number: int
    said: tuple[tuple[Word, ...], ...]
    "the words of each of its sentences"
    title: frozenset[str]
    "the plain words of what it stands under"
    alike: Mapping[str, frozenset[str]]
    "its plain words by their first 4 letters"

    @staticmethod
    def of(passage: Passage, split: Callable[[str], Sequence[Span]] = split_sentences) -> "Ground":
        """The words of a passage, sentence by sentence."""
        text = passage.chunk.text
        said = tuple(tuple(words(text[start:end])) for start, end in split(text))
        title = frozenset(word.plain for part in passage.chunk.path for word in words(part))
        alike: dict[str, set[str]] = {}
        for plain in {word.plain for part in said for word in part} | title:
            alike.setdefault(plain[:START], set()).add(plain)
        return Ground(passage.number, said, title, {start: frozenset(found) for start, found in alike.items()})

    def forms(self, word: str) -> frozenset[str]:
        """Its words that are this one, or look like a form of it."""
        return frozenset(other for other in self.alike.get(word[:START], ()) if same_word(word, other))


def evidence_of(sentence: str, grounds: Sequence[Ground]) -> Evidence:
    """The passage that supports a sentence best; a sentence without a word that says something is supported by any.

    Its citation marks are not part of it. Bags of words are compared, so what is turned round ("A beat B", "B beat A")
    is not seen, nor what is said in other words: a sentence that fails may be true, and is to be looked at.
    """
    own = words(BRACKETED.sub(" ", sentence))
    found = [supports(own, ground) for ground in grounds]
    return max(found, key=lambda one: (not one.problems, one.share), default=Evidence(0, 0.0))


def supports(own: Sequence[Word], ground: Ground) -> Evidence:
    """What one passage says of the words of a sentence."""
    wanted = list(dict.fromkeys(word.plain for word in content(own)))
    held = {word: ground.forms(word) for word in wanted}
    problems = [f"{word} is not in it" for word in sorted(numbers(own) | names(own)) if word in held and not held[word]]
    best, place = (1.0, 0) if not wanted else (0.0, 0)
    for start in range(len(ground.said)):
        near = {word.plain for part in ground.said[start : start + NEIGHBOURS] for word in part} | ground.title
        share = sum(bool(held[word] & near) for word in wanted) / max(len(wanted), 1)
        if share > best:
            best, place = share, start
    problems += _denials(own, wanted, ground.said[place : place + NEIGHBOURS])
    return Evidence(ground.number, best, tuple(problems))


def _denials(own: Sequence[Word], wanted: Sequence[str], near: Sequence[Sequence[Word]]) -> list[str]:
    """A denial on one side alone: of the sentence against the nearest one, and back where they say the same."""
    if not near:
        return []
    said = [{word.plain for word in content(part)} for part in near]
    shared = [sum(any(same_word(word, other) for other in theirs) for word in wanted) for theirs in said]
    nearest = max(range(len(near)), key=lambda place: shared[place])
    there = denies(near[nearest])
    if denies(own):
        return [] if there else ["it is not denied there"]
    back = sum(any(same_word(word, other) for other in wanted) for word in said[nearest] - DENIALS)
    return ["it is denied there"] if there and back >= SAME * len(said[nearest] - DENIALS) else []
