"""ROUGE between two texts: its words, shared runs of words, and longest common subsequences (Lin, 2004)."""

import re
from collections import Counter
from collections.abc import Sequence

from dragoman.metrics._stem import stem
from dragoman.metrics._text import ngrams

__all__ = ["in_order", "order_table", "rouge_l", "rouge_lsum", "rouge_n", "words"]

WORD = re.compile(r"[a-z0-9]+")


def words(text: str, stemmer: bool = False) -> list[str]:
    """The runs of a-z and 0-9 of a text in lower case; with `stemmer`, those of 4 letters and more are stemmed."""
    found = WORD.findall(text.lower())
    return [stem(word) if len(word) > 3 else word for word in found] if stemmer else found


def _f1(shared: int, written: int, wanted: int) -> float:
    """The harmonic mean of shared/written and shared/wanted; 0 where either is undefined."""
    precision, recall = shared / max(written, 1), shared / max(wanted, 1)
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def rouge_n(answer: str, reference: str, order: int, stemmer: bool = False) -> float:
    """F1 of the runs of `order` words, each counted as often as it stands in both."""
    written, wanted = (ngrams(words(text, stemmer), order) for text in (answer, reference))
    return _f1((written & wanted).total(), written.total(), wanted.total())


def order_table(reference: Sequence[str], answer: Sequence[str]) -> list[int]:
    """The table of longest common subsequences, one integer a row, row 0 included (Hyyro, 2004).

    Bit j of row i is 0 where the subsequence of the first i reference words and the first j + 1 answer words is one
    longer than that without answer word j: a row is one addition of big numbers, and an entry the count of its zeros.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(answer):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(answer)) - 1
    rows = [full]
    for word in reference:
        row = rows[-1]
        both = row & places.get(word, 0)
        rows.append(((row + both) | (row - both)) & full)
    return rows


def in_order(reference: Sequence[str], answer: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    return len(answer) - order_table(reference, answer)[-1].bit_count()


def _places(reference: Sequence[str], answer: Sequence[str]) -> set[int]:
    """Which reference words a longest common subsequence takes, walked from the end as ROUGE-1.5.5 walks it.

    There may be several of one length. Where neither word of a pair is taken, the answer's is dropped only if that
    keeps a longer subsequence than dropping the reference's.
    """
    rows = order_table(reference, answer)

    def length(i: int, j: int) -> int:
        return j - (rows[i] & ((1 << j) - 1)).bit_count()

    i, j, taken = len(reference), len(answer), set()
    while i > 0 and j > 0:
        if reference[i - 1] == answer[j - 1]:
            i, j = i - 1, j - 1
            taken.add(i)
        elif length(i, j - 1) > length(i - 1, j):
            j -= 1
        else:
            i -= 1
    return taken


def rouge_l(answer: str, reference: str, stemmer: bool = False) -> float:
    """F1 of the longest common subsequence of the two texts, line ends counting as spaces."""
    written, wanted = words(answer, stemmer), words(reference, stemmer)
    return _f1(in_order(wanted, written), len(written), len(wanted))


def rouge_lsum(answer: str, reference: str, stemmer: bool = False) -> float:
    """F1 of the words of each reference line that some answer line has in order, none counted twice (Lin, 2004, 3.2).

    A line is a sentence: put one sentence a line for what papers call ROUGE-Lsum.
    """
    written, wanted = ([words(line, stemmer) for line in text.split("\n")] for text in (answer, reference))
    left = Counter(word for line in written for word in line)
    shared = 0
    for line in wanted:
        taken: set[int] = set().union(*(_places(line, other) for other in written))
        for place in sorted(taken):
            if left[line[place]] > 0:
                left[line[place]] -= 1
                shared += 1
    return _f1(shared, sum(map(len, written)), sum(map(len, wanted)))
