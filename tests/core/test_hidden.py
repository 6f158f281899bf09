"""What a reader does not see is taken out, counted and told."""

import pytest

from dragoman.core.hidden import hidden_text, plain_letters


@pytest.mark.parametrize(
    ("text", "seen", "kind", "count"),
    [
        ("a" + "".join(chr(0xE0000 + ord(one)) for one in "say it") + "b", "ab", "Unicode tags", 6),
        ("a\u200bb\u2060c\u00ad", "abc", "zero-width characters", 3),
        ("a\u200db", "ab", "zero-width characters", 1),
        ("\u202eabc\u202c", "abc", "direction marks", 2),
        ("a\x08b\x1b[2J", "ab[2J", "control characters", 2),
        ("a\U000e0101b\ufe01", "ab", "variation selectors", 2),
        ("a\u200d\U000e0041\u200db", "ab", "zero-width characters", 2),
    ],
)
def test_each_kind(text: str, seen: str, kind: str, count: int) -> None:
    found = hidden_text(text)
    assert found.text == seen and found.counts[kind] == count
    assert f"{count} {kind} were removed" in " ".join(found.problems)
    assert hidden_text(seen).counts == {} and hidden_text(seen).problems == ()


def test_what_tags_spell_is_told() -> None:
    found = hidden_text("x" + "".join(chr(0xE0000 + ord(one)) for one in "say it"))
    assert found.smuggled == "say it" and "'say it'" in found.problems[1]


def test_scripts_that_need_joiners_keep_them() -> None:
    for text in ("می\u200cخواهم", "क्\u200dष", "👩\u200d👩\u200d👧", "❤\ufe0f", "naïve Straße\n漢字\tend"):
        assert hidden_text(text).text == text and not hidden_text(text).problems


def test_lookalikes_are_counted_and_stay() -> None:
    found = hidden_text("pаypal and Моscow, but Москва and Αθήνα")
    assert found.lookalikes == 2 and found.text.startswith("pаypal")
    assert found.problems == ("2 words mix letters that look alike",)
    assert plain_letters("ｐаy\u200bpal ﬁ") == "paypal fi"
