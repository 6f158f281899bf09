"""The preflight of preferences: whether what people chose can be told from its length or its form alone, and whether
they contradict themselves."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from dragoman.core.proportion import wilson
from dragoman.core.types import Example
from dragoman.data.dedupe import canonical
from dragoman.data.finding import Finding, sample_of
from dragoman.data.prompt_leaks import is_preference

__all__ = ["FORMS", "pairs_found"]

LIST = re.compile(r"^\s*(?:[-*+\u2022]|\d{1,3}[.)])\s+\S", re.MULTILINE)
MARKDOWN = re.compile(r"^#{1,6} \S|^```|^\|.*\|\s*$|\*\*[^*\n]+\*\*|`[^`\n]+`", re.MULTILINE)
REFUSAL = re.compile(
    r"\W*(?:(?:i['\u2019]?m|i am) (?:(?:so|very|really) )?(?:sorry|afraid|unable|not able)|sorry|i apologi[sz]e|"
    r"my apologies|unfortunately|as an ai|i (?:really )?(?:can['\u2019]?t|cannot|can not|won['\u2019]?t|will not|"
    r"don['\u2019]?t (?:think i (?:can|should)|feel comfortable)|must decline|refuse)|no, i)\b",
    re.IGNORECASE,
)


def _any(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


FORMS: dict[str, Callable[[str], bool]] = {
    "with a list": _any(LIST),
    "with markdown": _any(MARKDOWN),
    "that opens as a refusal": lambda text: REFUSAL.match(text) is not None,
}
"What an answer may look like whatever it says; the words stand behind 'the answer'."


def pairs_found(examples: Sequence[Example]) -> list[Finding]:
    """What is odd about pairs and thumbs; nothing where there are none.

    Findings: contradicting-pairs, length-bias, format-bias (one a form), thumbs, one-thumb. A bias is reported where
    its 95 % interval leaves out one half; the pairs of one prompt count together as one trial in its width.
    """
    pairs = [one for one in examples if one.rejected and one.answers and one.answers[0] != one.rejected]
    thumbs = [one for one in examples if is_preference(one) and not one.rejected]
    found = [*_contradicting(examples), *_length(pairs), *_format(pairs)]
    return [*found, *_thumbs(thumbs)] if thumbs else found


def _length(pairs: Sequence[Example]) -> list[Finding]:
    """Whether the longer answer, in characters, wins or loses."""
    told = [one for one in pairs if len(one.answers[0]) != len(one.rejected)]
    won = [one for one in told if len(one.answers[0]) > len(one.rejected)]
    hint = "a reward may learn length alone: compare it with the length rules, and watch the length of what is written"
    return _bias("length-bias", "the longer answer", told, won, hint)


def _format(pairs: Sequence[Example]) -> list[Finding]:
    """For each form whether the answer that has it, where one alone has, wins or loses."""
    found = []
    hint = "a reward may learn the form alone: add pairs in which the other side has it"
    for said, has in FORMS.items():
        told = [one for one in pairs if has(one.answers[0]) != has(one.rejected)]
        won = [one for one in told if has(one.answers[0])]
        found += _bias("format-bias", f"the answer {said}", told, won, hint)
    return found


def _bias(name: str, what: str, told: Sequence[Example], won: Sequence[Example], hint: str) -> list[Finding]:
    if not told:
        return []
    share, trials = len(won) / len(told), len({_prompt(one) for one in told})
    low, high = wilson(share, trials)
    if low <= 0.5 <= high:
        return []
    message = f"{what} wins in {share:.1%} of {len(told):,} pairs (95 %: {low:.1%} to {high:.1%})"
    return [Finding(name, "note", len(told), message, sample_of(won[0], won[0].answers[0]) if won else None, hint)]


def _contradicting(examples: Sequence[Example]) -> list[Finding]:
    """Answers that are preferred to each other both ways, or held good and bad, for one prompt."""
    ways: dict[tuple[object, ...], set[object]] = defaultdict(set)
    rows: dict[tuple[object, ...], Example] = {}
    for one in examples:
        if not is_preference(one) or not one.answers or one.answers[0] == one.rejected:
            continue
        if one.rejected:
            key: tuple[object, ...] = (_prompt(one), *sorted((one.answers[0], one.rejected)))
            ways[key].add(one.answers[0])
        else:
            key = (_prompt(one), one.answers[0])
            ways[key].add(one.meta.get("good"))
        rows[key] = one
    both = [key for key, said in ways.items() if len(said) > 1]
    if not both:
        return []
    message = (
        f"{len(both):,} judgements stand the other way round too, the first at {rows[both[0]].meta.get('place', '')}"
    )
    hint = "leave those out on which people do not agree"
    return [Finding("contradicting-pairs", "warning", len(both), message, sample_of(rows[both[0]]), hint)]


def _thumbs(thumbs: Sequence[Example]) -> list[Finding]:
    good = sum(bool(one.meta.get("good")) for one in thumbs)
    bad = len(thumbs) - good
    if good and bad:
        message = f"{good:,} answers are held good and {bad:,} bad"
        return [Finding("thumbs", "note", len(thumbs), message, hint="objective=kto learns from both")]
    message = f"all {len(thumbs):,} answers are held {'good' if good else 'bad'}: there is nothing to tell apart"
    hint = "add rows of the other kind" if bad else "add rows of the other kind, or learn them by objective=sft"
    return [Finding("one-thumb", "warning", len(thumbs), message, sample_of(thumbs[0]), hint)]


def _prompt(example: Example) -> tuple[tuple[str, str], ...]:
    return tuple((one.role, canonical(one.content)) for one in example.prompt)
