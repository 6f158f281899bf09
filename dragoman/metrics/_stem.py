"""English word stems by Porter's algorithm (1980), with the later amendments that ROUGE's usual figures are made with.

The amendments: words of one or two letters stay; twelve irregular forms; y becomes i behind a consonant only; -ied and
-ies of four letters keep their e; -alli, -fulli, -logi and -bli are suffixes.
"""

from functools import lru_cache

__all__ = ["stem"]

IRREGULAR = {
    "skies": "sky",
    "sky": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "news": "news",
    "innings": "inning",
    "inning": "inning",
    "outings": "outing",
    "outing": "outing",
    "cannings": "canning",
    "canning": "canning",
    "howe": "howe",
    "proceed": "proceed",
    "exceed": "exceed",
    "succeed": "succeed",
}
# Each step: suffix and what stands in its place, tried in this order; the first that fits decides.
SECOND = (
    "ational:ate tional:tion enci:ence anci:ance izer:ize bli:ble alli:al entli:ent eli:e ousli:ous ization:ize "
    "ation:ate ator:ate alism:al iveness:ive fulness:ful ousness:ous aliti:al iviti:ive biliti:ble fulli:ful logi:log"
)
THIRD = "icate:ic ative: alize:al iciti:ic ical:ic ful: ness:"
FOURTH = "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize"


def _pairs(rules: str) -> tuple[tuple[str, str], ...]:
    """The suffixes of a step with their replacements."""
    parts = [rule.partition(":") for rule in rules.split()]
    return tuple((suffix, new) for suffix, _, new in parts)


STEP_2, STEP_3, STEP_4 = _pairs(SECOND), _pairs(THIRD), tuple(FOURTH.split())


def _shape(word: str) -> str:
    """A word as c (consonant) and v (vowel); y is a vowel behind a consonant."""
    kinds: list[str] = []
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and kinds[-1:] == ["c"])
        kinds.append("v" if vowel else "c")
    return "".join(kinds)


def _measure(word: str) -> int:
    """Porter's m: how often a vowel is followed by a consonant."""
    return _shape(word).count("vc")


def _short(word: str) -> bool:
    """Whether a word ends consonant, vowel, consonant other than w, x, y; or is a vowel and a consonant."""
    shape = _shape(word)
    return shape == "vc" or (shape.endswith("cvc") and word[-1] not in "wxy")


def _plural(word: str) -> str:
    """Step 1a: -s and what it hides in."""
    if word.endswith("ies"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    """Step 1b: -ed and -ing, and the letter that they took away or doubled."""
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    kept = next((word[: -len(end)] for end in ("ed", "ing") if word.endswith(end)), "")
    if "v" not in _shape(kept):
        return word
    if kept.endswith(("at", "bl", "iz")):
        return kept + "e"
    if len(kept) > 1 and kept[-1] == kept[-2] and _shape(kept)[-1] == "c":
        return kept if kept[-1] in "lsz" else kept[:-1]
    return kept + "e" if _measure(kept) == 1 and _short(kept) else kept


def _final_y(word: str) -> str:
    """Step 1c: y behind a consonant that is not the first letter."""
    return word[:-1] + "i" if len(word) > 2 and word[-1] == "y" and _shape(word)[-2] == "c" else word


def _derived(word: str) -> str:
    """Step 2: double suffixes, where something with m > 0 stands before them."""
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _derived(word[:-2])
    for suffix, new in STEP_2:
        if word.endswith(suffix):
            before = word[: -len(suffix)]
            weighed = word[:-3] if suffix == "logi" else before  # its l counts as the stem's: geo-logi, theo-logi
            return before + new if _measure(weighed) > 0 else word
    return word


def _made(word: str) -> str:
    """Step 3: -icate, -ful, -ness and the like, where something with m > 0 stands before them."""
    for suffix, new in STEP_3:
        if word.endswith(suffix):
            before = word[: -len(suffix)]
            return before + new if _measure(before) > 0 else word
    return word


def _last(word: str) -> str:
    """Step 4: single suffixes, where something with m > 1 stands before them."""
    for suffix in STEP_4:
        if word.endswith(suffix):
            before = word[: -len(suffix)]
            fits = _measure(before) > 1 and (suffix != "ion" or before[-1] in "st")
            return before if fits else word
    return word


def _tidy(word: str) -> str:
    """Step 5: a final e, and the second of a final double l."""
    if word.endswith("e"):
        size = _measure(word[:-1])
        if size > 1 or (size == 1 and not _short(word[:-1])):
            word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The stem of a word in lower case: `relational` and `relate` share one."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) < 3:
        return word
    for step in (_plural, _past, _final_y, _derived, _made, _last, _tidy):
        word = step(word)
    return word
