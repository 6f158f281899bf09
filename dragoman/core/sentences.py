"""Where the sentences of a text begin and end, by rules, in scripts with and without spaces and capitals.

A full stop ends no sentence in a number, in an initial, after an abbreviation, before a small letter. What may do both
(`etc.`, `U.S.`, a single letter) ends one where the next word is one that opens sentences.
"""

import re

__all__ = ["Span", "split_sentences"]

Span = tuple[int, int]
"where a sentence begins and ends in its text"

# A mark in a script that puts no space behind it ends a sentence by itself; the others where white space follows.
_ALONE = "。！？｡।॥።፧။។៕"
_SPACED = ".!?…؟۔։‼⁇⁈⁉"
_CLOSING = "\"'”’»›)\\]}」』）】》〉"
_END = re.compile(rf"([{_ALONE}]+|[{_SPACED}]+)[{_CLOSING}]*(?:\[\d{{1,3}}\])*")
_BREAK = re.compile(r"\n[ \t\r]*\n|\n(?=[ \t]*(?:[-*•·▪–+]|\(?\d{1,3}[.)])[ \t])")
_LAST_WORD = re.compile(r"[^\s(\[{\"“„«‘/]*$")
_NEXT_WORD = re.compile(r"[^\W\d_]+")
_OPENING = re.compile(r"[\s\"'“”„«‘’‹›¿¡(\[{「『（]+")
_MARKER = re.compile(r"(?:^|\n)[ \t]*\(?(?:\d{1,3}|[A-Za-z])$")
_LOOK_BACK = 40  # characters in which an abbreviation is looked for


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


_NEVER = _words(  # what these stand before belongs to them
    "mr mrs ms dr prof st rev hon gen col lt sgt capt cmdr gov sen rep pres messrs mme mlle mgr e.g i.e viz cf ie eg "
    "vs v approx resp z.b d.h u.a i.d.r v.a bzw mio mrd ca evtl ggf hrsg hl inkl sog vgl dipl ing frl hr fr str "
    "ee sr sra srta ud uds dña lic p.ej av avda м г ул им т.е т.н dott sig sigg avv geom mons sten tzw np tj dhr mevr "
    "drs bijv o.a m.a.w t.ex bl.a f.eks esim"
)
_NUMBERED = _words(  # these end no sentence where a number follows
    "no nos nr nrs num núm fig figs eq eqs sec secs ch chap vol vols p pp pg art arts par abs kap bd bl s ss tab ref "
    "refs cap pág págs abb tabl рис табл стр гл"
)
_MAY_END = _words(  # these do where a word follows that opens sentences
    "etc usw al jr sr inc ltd co corp llc plc bros dept est ed eds jan feb mar apr jun jul aug sep sept oct nov dec "
    "a.m p.m u.s u.k u.n e.u b.c a.d ph.d m.d b.a m.a d.c ave blvd rd mt ft esp ibid "
    "u.s.a u.s.s.r ecc гг др пр тыс млн ss.aa ee.uu"
)
_OPENERS = _words(
    "the a an he she it they we you i this that these those there here in on at as if when while after before since "
    "although though however but and so then thus therefore for from by with to his her its their our my your who what "
    "which why how where one some many most all both each such no not another other during under over between among "
    "der die das ein eine er sie es wir ihr ich in im am an auf mit von zu bei nach vor wenn als dieser diese dieses "
    "le la les un une il elle ils elles nous vous je on ce cette ces dans en au aux pour par sur avec mais "
    "el los las una unos unas él ella ellos nosotros este esta estos estas su sus se lo por para con sin "
    "il lo gli uno egli essi questo questa nel nella o os as um uma ele ela eles este esta no na em"
)
_MONTHS = _words(
    "januar februar märz april mai juni juli august september oktober november dezember jahrhundert jahrhunderts"
)


def split_sentences(text: str) -> list[Span]:
    """The sentences as `(start, end)`, in order: `text[start:end]` begins and ends with no white space.

    Together they leave out nothing but white space. A blank line and a list's next entry end a sentence too.
    """
    cased = text != text.lower()
    cuts = {found.end() for found in _BREAK.finditer(text)}
    cuts.update(found.end() for found in _END.finditer(text) if _ends(text, found, cased))
    spans: list[Span] = []
    start = 0
    for cut in (*sorted(cuts), len(text)):
        part = text[start:cut]
        body = part.strip()
        if body:
            begin = start + len(part) - len(part.lstrip())
            spans.append((begin, begin + len(body)))
        start = cut
    return spans


def _ends(text: str, found: re.Match[str], cased: bool) -> bool:
    """Whether a mark with what closes behind it ends a sentence."""
    mark, start, end = found[1], found.start(), found.end()
    following = text[end : end + 1]
    if mark[0] in _ALONE:
        return not (end > found.end(1) and following in ("と", "っ"))  # a quotation inside a sentence goes on
    if not following:
        return True
    if not following.isspace():
        return mark[0] in "!?" and _unspaced(text[start - 1 : start]) and _unspaced(following)
    opening = _OPENING.match(text, end)
    at = opening.end() if opening else end
    if mark == "." and start and text[start - 1].isspace():
        return True  # a stop that stands alone between spaces is one in texts that were cut into words
    if cased and text[at : at + 1].islower():
        return False
    return mark != "." or _stops(text, start, at)


def _stops(text: str, start: int, at: int) -> bool:
    """Whether the full stop at `start` ends a sentence, where the next word begins at `at`."""
    before = text[max(0, start - _LOOK_BACK) : start]
    if _MARKER.search(before) or (_MARKER.match(before) and start <= _LOOK_BACK):
        return False  # 1. and a. at the beginning of a line number what follows
    found = _LAST_WORD.search(before)
    word = found[0] if found else ""
    following = _NEXT_WORD.match(text, at)
    next_word = following[0].lower() if following else ""
    if len(next_word) == 1 and text[at + 1 : at + 2] == ".":
        next_word = ""  # an initial, not the article nor I
    lower = word.lower()
    if lower in _NEVER:
        return False
    if lower in _NUMBERED and text[at : at + 1].isdigit():
        return False
    if word.isdigit() and len(word) <= 2 and next_word in _MONTHS:
        return False
    initial = len(word) == 1 and word.isalpha() and word.isupper()
    dotted = "." in word and all(len(part) == 1 and part.isalpha() for part in word.split("."))
    if initial or dotted or lower in _MAY_END:
        return next_word in _OPENERS or "\n\n" in text[start:at]
    return True


def _unspaced(letter: str) -> bool:
    """Whether a letter is of a script that puts no spaces between words: CJK."""
    return "\u3040" <= letter <= "\u9fff" or "\uff00" <= letter <= "\uffef"
