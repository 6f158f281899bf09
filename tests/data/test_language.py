"""A hint of a language is right where a text has some sentences."""

import json
from pathlib import Path

import pytest

from dragoman.data.language import LANGUAGES, UNKNOWN, hint


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("It was the best of times, it was the worst of times, and we had everything before us.", "en"),
        ("Das ist nicht der Weg, den wir mit den anderen für die Kinder gehen wollen.", "de"),
        ("Ce n'est pas la même chose pour les enfants qui sont dans la maison avec nous.", "fr"),
        ("Мы не знали, что это было для них и как они из этого вышли.", "ru"),
        ("これは日本語の文章です。", "ja"),
        ("这是一个中文句子。", "zh"),
        ("한국어 문장입니다.", "ko"),
        ("Αυτό είναι ένα κείμενο.", "el"),
        ("Smith Jones Brown 1999", UNKNOWN),
        ("12 34 56", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_sentences(text: str, language: str) -> None:
    assert hint(text) == language
    assert language in (*LANGUAGES, UNKNOWN)


def test_a_declaration_in_many_languages(shared_data: Path) -> None:
    lines = (shared_data / "pretrain" / "udhr_multilingual.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    codes = {"eng": "en", "fra": "fr", "spa": "es", "deu_1996": "de", "ita": "it", "por_PT": "pt", "rus": "ru"}
    codes |= {"nld": "nl", "swe": "sv", "fin": "fi", "pol": "pl", "ces": "cs", "hun": "hu", "tur": "tr", "ukr": "uk"}
    codes |= {"vie": "vi", "ind": "id", "jpn": "ja", "kor": "ko", "ell_monotonic": "el", "hin": "hi", "tha": "th"}
    known = [(codes[row["code"]], hint(row["text"])) for row in rows if row["code"] in codes]
    assert len(known) >= 12
    assert [pair for pair in known if pair[0] != pair[1]] == []
