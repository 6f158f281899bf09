"""A model that streams, as an engine: its answers take turns."""

from collections.abc import Iterator

import pytest

from dragoman.core.doors import Prompt
from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.by_turns import ByTurns
from dragoman.models.fake import FakeLM
from dragoman.models.open import open_lm
from tests.nn.tiny_lm import folder_of

ASKED = [(Message("user", text),) for text in ("the hill", "a tin in the tin", "hello")]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> ByTurns:
    return ByTurns(open_lm(folder_of("t5", tmp_path_factory.mktemp("turns") / "t5"), device="cpu", precision="fp32"))


def finished(engine: ByTurns) -> list[Piece]:
    pieces: list[Piece] = []
    while engine.busy():
        pieces += engine.step()
    return pieces


def test_answers_take_turns_and_are_what_they_are_alone(engine: ByTurns) -> None:
    how = Sampling(max_tokens=12)
    for number, prompt in enumerate(ASKED):
        assert engine.count(Asked(number, prompt, how)) > 0
        engine.add(Asked(number, prompt, how))
    pieces = finished(engine)
    assert [piece.number for piece in pieces[:3]] == [0, 1, 2]
    for number, prompt in enumerate(ASKED):
        mine = [piece for piece in pieces if piece.number == number]
        assert "".join(piece.text for piece in mine) == engine._lm.generate([prompt], how)[0].text
        assert mine[-1].finish in ("stop", "length")
        assert sum(piece.read for piece in mine) == engine.count(Asked(number, prompt, how))


def test_several_answers_and_log_probabilities_come_whole(engine: ByTurns) -> None:
    how = Sampling(max_tokens=4, n=2, temperature=1.0, logprobs=1)
    engine.add(Asked(0, ASKED[0], how))
    pieces = finished(engine)
    assert [piece.index for piece in pieces] == [0, 1]
    assert [piece.text for piece in pieces] == [one.text for one in engine._lm.generate([ASKED[0]], how)]
    assert all(piece.tokens for piece in pieces)


def test_who_leaves_is_forgotten(engine: ByTurns) -> None:
    for number, prompt in enumerate(ASKED):
        engine.add(Asked(number, prompt, Sampling(max_tokens=6)))
    engine.step()
    engine.cancel(0)
    engine.cancel(7)
    assert engine.busy() == 2
    assert {piece.number for piece in finished(engine)} == {1, 2}
    engine.add(Asked(0, ASKED[0], Sampling()))
    engine.close()
    assert engine.busy() == 0
    assert engine.step() == []


def test_what_it_cannot_do_is_said(engine: ByTurns) -> None:
    assert engine.adapters() == ()
    with pytest.raises(UserError, match="without adapters"):
        engine.count(Asked(0, ASKED[0], Sampling(), "loud"))
    engine.add(Asked(0, (Message("user", ""),), Sampling(max_tokens=4)))
    (only,) = finished(engine)
    assert only.finish == "error"
    assert only.problem


class Lines(FakeLM):
    """Reads characters, between two that its template adds, and streams several of them a piece."""

    def stream(self, prompt: Prompt, how: Sampling) -> Iterator[str]:
        yield from ("hello ", "you")

    def ids(self, prompt: Prompt) -> list[int]:
        return [0, *(ord(letter) for message in prompt for letter in message.content), 0]


@pytest.mark.parametrize(("most", "tokens", "finish"), [(50, 9, "stop"), (9, 9, "length"), (7, 7, "length")])
def test_a_piece_of_several_tokens_is_counted_as_what_it_is(most: int, tokens: int, finish: str) -> None:
    engine = ByTurns(Lines())
    engine.add(Asked(0, ASKED[0], Sampling(max_tokens=most)))
    pieces = finished(engine)
    assert sum(piece.count for piece in pieces) == tokens
    assert pieces[-1].finish == finish
