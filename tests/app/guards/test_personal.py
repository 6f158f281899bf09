"""Personal data is masked by name and put back for those who said it."""

import pytest

from dragoman.app.guards.personal import addresses, mask_personal
from dragoman.data.private import hints


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ada@example.org", "e-mail"),
        ("+44 20 7946 0958", "phone-number"),
        ("(555) 123-4567", "phone-number"),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("4111 1111 1111 1111", "card-number"),
        ("078-05-1120", "social-security-number"),
        ("192.168.7.12", "ip-address"),
        ("2001:db8::8a2e:370:7334", "ip-address"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "token"),
    ],
)
def test_each_kind_is_masked_and_comes_back(text: str, kind: str) -> None:
    said = f"Write to {text}, please. Again: {text}."
    masked = mask_personal(said, hints)
    assert masked.text == f"Write to [{kind} 1], please. Again: [{kind} 1]."
    assert masked.held == {f"[{kind} 1]": text}
    assert masked.restored(masked.text) == said
    assert mask_personal(said, hints, known=text).text == said


@pytest.mark.parametrize(
    "text",
    [
        "GB82 WEST 1234 5698 7654 33",  # a wrong check digit
        "4111 1111 1111 1112",
        "version 1.2.3, 3.14, 256.1.1.1, 12:30:45, std::vector, 1.2.3.4.5",
        "127.0.0.1 and ::1 and 0.0.0.0",
        "The year 2024, page 12, 1,000,000 people",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask_personal(text, hints).text == text


def test_names_are_not_mistaken_for_those_in_the_text() -> None:
    masked = mask_personal("[e-mail 1] is a@b.org and c@d.org", hints)
    assert masked.text == "[e-mail 1] is [e-mail 2] and [e-mail 3]"
    later = mask_personal("x@y.org, a@b.org", hints, start={value: name for name, value in masked.held.items()})
    assert later.text == "[e-mail 1], [e-mail 2]"
    assert [one.kind for one in addresses("10.0.0.1, fe80::1.")] == ["ip-address"] * 2
