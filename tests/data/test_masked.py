"""Masking many texts finds what is found one by one, and counts it; most texts are never searched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.data.letters import look
from dragoman.data.masked import mask_all, suspects
from dragoman.data.private import hints, mask

PRIVATE = (
    "write to jane.doe@example.org today",
    "card 4111 1111 1111 1111 was used",
    "call +49 30 1234567 or 415 555 2671",
    "number 078-05-1120",
    "account DE89 3704 0044 0532 0130 00",
    "key AKIAIOSFODNN7EXAMPLE",
    "password = hunter2hunter",
    "token ghp_" + "a1" * 18,
    "sk-" + "abcdefghij" * 3,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
)


def test_every_kind_is_suspected_and_masked() -> None:
    texts = [*PRIVATE, "nothing to see here, 12 apples"]
    found, counted = mask_all(texts, look(texts), "all")
    assert found == [mask(text) for text in texts]
    assert suspects(texts, look(texts)).tolist() == [True] * len(PRIVATE) + [False]
    assert counted.total() == sum(len(hints(text)) for text in texts) > len(PRIVATE) - 1


def test_secrets_alone_and_nothing() -> None:
    texts = list(PRIVATE)
    found, counted = mask_all(texts, look(texts), "secrets")
    assert found[0] == texts[0] and "[password]" in found[6]
    assert set(counted) <= {"private-key", "access-key", "token", "password"}
    assert mask_all(texts, look(texts), "none") == (texts, {})
    with pytest.raises(UserError, match="mask cannot be"):
        mask_all(texts, look(texts), "some")


def test_a_long_text_is_searched_by_paragraphs() -> None:
    text = "A line of words without any meaning.\n\n" * 3000 + PRIVATE[0]
    found, counted = mask_all([text], look([text]), "all")
    assert found[0].endswith("...[e-mail] today") and counted == {"e-mail": 1}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([*PRIVATE, "plain words", "1 2 3", "漢字\n\n", "x@y"]), min_size=1, max_size=6))
def test_what_is_not_suspected_holds_nothing(parts: list[str]) -> None:
    texts = [" ".join(parts), *parts]
    assert mask_all(texts, look(texts), "all")[0] == [mask(text) for text in texts]
