"""Hints of secrets and personal data: found, masked, and not seen everywhere."""

import time

import pytest

from dragoman.data.builtin import stdlib
from dragoman.data.private import hints, mask

# Put together here so that no scanner takes this file for a leak.
PLANTED = {
    "access-key": "AKIA" + "IOSFODNN7EXAMPLE",
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQ\n",
    "token": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "password": "password" + ": hunter2hunter2",
    "e-mail": "jane.doe+x@mail.example.org",
    "card-number": "4111 1111 1111 " + "1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "phone-number": "+44 20 7946 0958",
    "social-security-number": "078-05-1120",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_each_kind_is_found_and_masked(kind: str) -> None:
    text = f"please note {PLANTED[kind]} and go on"
    found = hints(text)
    assert [hint.kind for hint in found] == [kind]
    shown = mask(text)
    assert PLANTED[kind].strip() not in shown
    assert f"...[{kind}]" in shown
    assert hints(shown) == []


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "in 1999, 2000 and 2001",
        "call 911",
        "a@b",
        "0.1234567890123456",
        "the password is secret",
    ],
)
def test_what_is_none(text: str) -> None:
    assert hints(text) == []


def test_real_text_has_few_and_long_text_is_fast() -> None:
    rows = stdlib()
    start = time.perf_counter()
    flagged = [row.text for row in rows if hints(row.text)]
    assert len(flagged) < 0.01 * len(rows)
    hints("a1-_.@" * 50_000)
    hints("1 " * 100_000)
    hints("A" * 100_000 + "1")
    assert time.perf_counter() - start < 10
