"""However a text is cut into pieces, what is shown is the text up to the earliest stop text, and no part of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.nn.stops import Stops


def earliest(text: str, stop: tuple[str, ...]) -> int:
    """Where the earliest stop text begins; the text's length where there is none."""
    return min((text.find(one) for one in stop if one in text), default=len(text))


def shown(pieces: list[str], stop: tuple[str, ...]) -> list[str]:
    """What comes out piece by piece, until it stops, and at the end."""
    stops, out = Stops(stop), []
    for piece in pieces:
        text, stopped = stops.push(piece)
        out.append(text)
        if stopped:
            return out
    return [*out, stops.end()]


@given(
    st.lists(st.text("ab", max_size=4), max_size=12),
    st.lists(st.text("ab", min_size=1, max_size=5), max_size=4).map(tuple),
)
def test_any_cut_gives_the_same_text(pieces: list[str], stop: tuple[str, ...]) -> None:
    text = "".join(pieces)
    cut = earliest(text, stop)
    out = shown(pieces, stop)
    assert "".join(out) == text[:cut]
    for number in range(len(out)):  # no part of what was cut was ever shown, and what is safe does not wait
        so_far, given_so_far = "".join(out[: number + 1]), "".join(pieces[: number + 1])
        assert text[:cut].startswith(so_far)
        assert len(given_so_far) - len(so_far) < max(map(len, stop), default=1) or cut <= len(given_so_far)


@pytest.mark.parametrize(
    ("pieces", "stop", "expected"),
    [
        (["one\n", "\ntwo"], ("\n\n",), ["one", ""]),
        (["a", "b", "c", "d"], ("abcd", "bc"), ["", "", "", ""]),
        (["a", "b", "c", "x"], ("abcd", "bc"), ["", "", "", "a"]),
        (["a", "b", "c"], ("abcd", "bc"), ["", "", "", "a"]),
        (["ab"], ("abc", "ab"), [""]),
        (["\n", "x"], ("\n\n",), ["", "\nx", ""]),
        (["<|", "im", "_end", "|>", "x"], ("<|im_end|>",), ["", "", "", ""]),
        (["é", "…", "é"], ("…é",), ["é", "", ""]),
        (["anything"], (), ["anything", ""]),
    ],
)
def test_cases(pieces: list[str], stop: tuple[str, ...], expected: list[str]) -> None:
    assert shown(pieces, stop) == expected


def test_after_a_stop_nothing_comes() -> None:
    stops = Stops(("x",))
    assert stops.push("axb") == ("a", True)
    assert stops.push("more") == ("", True)
    assert stops.end() == ""
