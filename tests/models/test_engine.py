"""Many answers at once are each what it is alone: in whatever order they come, whoever leaves, with any settings."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Completion, Sampling
from dragoman.core.types import Message
from dragoman.models.adapters import AdaptedLM
from dragoman.models.engine import LocalEngine
from dragoman.models.local import LocalLM
from dragoman.models.open import open_adapted, open_lm
from dragoman.nn.decoder import Decoder
from dragoman.nn.store import load_lm
from dragoman.train.adapter import write_adapter
from dragoman.train.tuning.lora import Lora
from tests.nn.tiny_lm import DECODERS, folder_of

WORDS = ["the", "hill", "all", "of", "it", "a", "tin", "in", "then", "hello", "x", "y"]
HOWS = (
    Sampling(max_tokens=9),
    Sampling(max_tokens=14, temperature=0.9, seed=3, top_p=0.9),
    Sampling(max_tokens=5, temperature=1.0, n=3, seed=1),
    Sampling(max_tokens=12, frequency_penalty=1.5, presence_penalty=0.5, logprobs=3),
    Sampling(max_tokens=12, stop=("e",)),
    Sampling(max_tokens=20, regex="[a-c]{1,6}"),
    Sampling(max_tokens=8, temperature=0.7, top_k=5, min_tokens=4, logit_bias={20: 3.0}),
)


def prompts(count: int, seed: int = 0) -> list[tuple[Message, ...]]:
    dice = random.Random(seed)
    return [(Message("user", " ".join(dice.choices(WORDS, k=dice.randint(1, 9)))),) for _ in range(count)]


def opened(folder: Path) -> LocalLM:
    lm = open_lm(folder, device="cpu", precision="fp32")
    assert isinstance(lm, LocalLM)
    return lm


def told(pieces: Sequence[Piece], asked: Asked) -> list[Completion]:
    """The answers of a request, put together."""
    found = []
    read = sum(piece.read for piece in pieces if piece.number == asked.number)
    for index in range(asked.how.n):
        mine = [piece for piece in pieces if piece.number == asked.number and piece.index == index]
        text = "".join(piece.text for piece in mine)
        tokens = tuple(token for piece in mine for token in piece.tokens)
        assert [bool(piece.finish) for piece in mine].index(True) == len(mine) - 1  # the last one, and no other
        found.append(Completion(text, sum(piece.count for piece in mine), mine[-1].finish, read, tokens))
    return found


def served(engine: LocalEngine, requests: Sequence[Asked], seed: int) -> list[list[Completion]]:
    """The answers to requests that come at any step."""
    dice, waiting, pieces = random.Random(seed), list(requests), []
    while waiting or engine.busy():
        while waiting and dice.random() < 0.6:
            engine.add(waiting.pop(0))
        pieces += engine.step()
    return [told(pieces, asked) for asked in requests]


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_served_is_what_is_written_alone(name: str, tmp_path: Path) -> None:
    lm = opened(folder_of(name, tmp_path / name))
    requests = [Asked(row, prompt, HOWS[row % len(HOWS)]) for row, prompt in enumerate(prompts(21))]
    alone = [lm.generate([one.prompt], one.how) for one in requests]
    engine = LocalEngine(lm, rows=6, chunk=4)
    assert [engine.count(one) for one in requests] == [len(lm.ids(one.prompt)) for one in requests]
    for seed in range(2):  # the second time much of each prompt is found
        found = served(engine, requests, seed)
        for expected, got in zip(alone, found, strict=True):
            for one, other in zip(expected, got, strict=True):
                assert (other.text, other.tokens, other.finish) == (one.text, one.tokens, one.finish)
                assert other.prompt_tokens == one.prompt_tokens
                assert [token.id for token in other.logprobs] == [token.id for token in one.logprobs]
                near = [token.logprob for token in one.logprobs]
                assert [token.logprob for token in other.logprobs] == pytest.approx(near, abs=1e-4)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of("llama", tmp_path_factory.mktemp("engine") / "base")


def test_who_leaves_is_forgotten_at_once_and_unfelt(llama: Path) -> None:
    lm = opened(llama)
    engine = LocalEngine(lm, rows=4, chunk=4)
    requests = [Asked(row, prompt, Sampling(max_tokens=20)) for row, prompt in enumerate(prompts(6))]
    for asked in requests:
        engine.add(asked)
    pieces = [piece for _ in range(9) for piece in engine.step()]
    for gone in (0, 3, 5):  # one that is written, one read or written, one that waits
        engine.cancel(gone)
    engine.cancel(99)
    assert engine.busy() == 3
    while engine.busy():
        now = engine.step()
        assert not {piece.number for piece in now} & {0, 3, 5}
        pieces += now
    for kept in (1, 2, 4):
        assert told(pieces, requests[kept])[0].text == lm.generate([requests[kept].prompt], requests[kept].how)[0].text


def test_a_long_prompt_is_read_between_the_tokens_of_others(llama: Path) -> None:
    engine = LocalEngine(opened(llama), rows=4, chunk=4)
    engine.add(Asked(0, prompts(1)[0], Sampling(max_tokens=30)))
    while not any(piece.count for piece in engine.step()):
        pass
    engine.add(Asked(1, (Message("user", "the hill " * 5),), Sampling(max_tokens=2)))
    between, now = 0, engine.step()
    while not any(piece.number == 1 for piece in now):
        between += sum(piece.number == 0 for piece in now)
        now = engine.step()
    assert between >= 3  # a chunk a step, and a token of the other one at each


def test_a_prompt_that_begins_alike_is_not_read_again(llama: Path) -> None:
    engine = LocalEngine(opened(llama), chunk=4)
    system = Message("system", "all of it in the hill and then a tin in the tin")
    for number, text in enumerate(("hello", "x y")):
        engine.add(Asked(number, (system, Message("user", text)), Sampling(max_tokens=2)))
        (first,) = [piece for _ in range(20) for piece in engine.step() if piece.read]
        shared = len(opened(llama).ids((system,))) // 4 * 4
        assert first.reused == (shared if number else 0)


def test_several_adapters_are_served_side_by_side_and_go_when_unused(llama: Path, tmp_path: Path) -> None:
    folders = []
    for seed, name in enumerate(("calm", "loud")):
        net = load_lm(llama)
        assert isinstance(net, Decoder)
        tuned = Lora(rank=3).apply(net, 0)
        dice = torch.Generator().manual_seed(seed)
        for weight in tuned.parameters():
            if weight.requires_grad:
                weight.data.normal_(0, 0.15, generator=dice)
        write_adapter(tuned, Lora(rank=3), tmp_path / name, str(llama))
        folders.append(tmp_path / name)
    lm = open_adapted(llama, folders[:1], device="cpu", precision="fp32")
    assert isinstance(lm, AdaptedLM)
    engine = LocalEngine(lm, rows=8, chunk=4)
    engine.adopt("loud", folders[1])
    calm = str(folders[0])
    assert engine.adapters() == (calm, "loud")
    how = Sampling(max_tokens=9)
    names = [calm, "", "loud", "loud", "", calm]
    requests = [Asked(row, prompt, how, name) for row, (prompt, name) in enumerate(zip(prompts(6), names, strict=True))]
    alone = [lm.of(one.adapter).generate([one.prompt], how)[0].text for one in requests]
    assert [answers[0].text for answers in served(engine, requests, 0)] == alone
    assert alone[0] != alone[1]
    engine.add(Asked(10, requests[2].prompt, how, "loud"))
    engine.drop("loud")
    with pytest.raises(UserError, match="no adapter of that name"):
        engine.count(requests[2])
    pieces: list[Piece] = []
    while engine.busy():
        pieces += engine.step()
    assert told(pieces, Asked(10, requests[2].prompt, how))[0].text == alone[2]
    engine.step()
    assert lm.names == (calm,)
    engine.adopt("loud", folders[0])  # another one under the old name: nothing of the old one is found
    assert served(engine, [Asked(11, requests[0].prompt, how, "loud")], 0)[0][0].text == alone[0]


def test_what_cannot_be_answered_is_said_before_it_begins(llama: Path) -> None:
    engine = LocalEngine(opened(llama))
    (prompt,) = prompts(1)
    for asked, said in (
        (Asked(0, (Message("user", ""),), Sampling()), "says nothing|empty"),
        (Asked(0, (Message("user", "hello " * 80),), Sampling()), "reads 64"),
        (Asked(0, prompt, Sampling(beams=2)), "does not search"),
        (Asked(0, prompt, Sampling(), "nobody"), "no adapter"),
        (Asked(0, prompt, Sampling(logit_bias={999: 1.0})), "names token 999"),
        (Asked(0, prompt, Sampling(regex="(")), "regex"),
    ):
        with pytest.raises(UserError, match=said):
            engine.count(asked)
    with pytest.raises(UserError, match="without adapters"):
        engine.adopt("x", llama)


def test_an_encoder_decoder_does_not_share_its_steps(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not share"):
        LocalEngine(opened(folder_of("t5", tmp_path / "t5")))


def test_numbers_that_go_wrong_end_their_own_request(llama: Path) -> None:
    lm = opened(llama)
    net = lm.net
    assert isinstance(net, Decoder)
    engine = LocalEngine(lm, rows=4, chunk=4)
    good, bad = prompts(2)
    engine.add(Asked(0, good, Sampling(max_tokens=25)))
    engine.add(Asked(1, bad, Sampling(max_tokens=25)))
    for _ in range(8):
        engine.step()
    slots = engine._rolling.slots
    row = next(row for row, (request, _) in enumerate(engine._rows) if request.asked.number == 1)
    for layer in slots.layers:
        layer.keys[row] = float("nan")
    pieces: list[Piece] = []
    while engine.busy():
        pieces += engine.step()
    ends = {piece.number: piece.finish for piece in pieces if piece.finish}
    assert ends[1] == "error"
    assert ends[0] in ("stop", "length")


def test_closing_forgets_all(llama: Path) -> None:
    engine = LocalEngine(opened(llama), rows=2)
    for row, prompt in enumerate(prompts(5)):
        engine.add(Asked(row, prompt, Sampling()))
    engine.step()
    engine.close()
    assert engine.busy() == 0
    assert engine.step() == []


def test_answers_that_find_no_memory_leave_no_row_behind(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lm = opened(llama)
    engine = LocalEngine(lm, rows=6, chunk=4)
    slots, (first, second, third) = engine._rolling.slots, prompts(3)
    engine.add(Asked(0, first, Sampling(max_tokens=40)))
    pieces: list[Piece] = []
    while not engine._rows:
        pieces += engine.step()
    join, joined = slots.join, []

    def fail(*given: object) -> None:
        if len(joined) == 1:
            raise RuntimeError("out of memory")
        joined.append(given)
        join(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(slots, "join", fail)
    engine.add(Asked(1, second, Sampling(max_tokens=5, n=3, temperature=1.0)))
    with pytest.raises(RuntimeError, match="out of memory"):
        while True:
            pieces += engine.step()
    assert len(slots.lengths) == len(engine._rows) == 1
    monkeypatch.undo()
    engine.cancel(1)
    later = Asked(2, third, Sampling(max_tokens=9))
    engine.add(later)
    while engine.busy():
        pieces += engine.step()
    assert told(pieces, later)[0].text == lm.generate([later.prompt], later.how)[0].text
    assert slots.space == (0, 0)


def test_what_is_remembered_for_requests_to_come_is_bounded(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = LocalEngine(opened(llama), rows=2, chunk=4)
    counts = [engine.count(Asked(row, prompt, HOWS[0])) for row, prompt in enumerate(prompts(4))]
    engine.cancel(0)
    assert set(engine._asked) == {1, 2, 3}
    monkeypatch.setattr("dragoman.models.engine.REMEMBERED_TOKENS", counts[0] + counts[3])
    engine.count(Asked(4, prompts(1)[0], HOWS[0]))
    assert sum(len(ids) for ids, _ in engine._asked.values()) <= counts[0] + counts[3]
    engine.add(Asked(1, prompts(2)[1], HOWS[0]))  # one that is not remembered is read again
    assert engine.busy() == 1


def test_a_request_whose_adapter_went_is_ended_alone(llama: Path) -> None:
    lm = opened(llama)
    engine = LocalEngine(lm, rows=4, chunk=4)
    prompt, other = prompts(2)
    how, stays = Sampling(max_tokens=5, n=2, temperature=1.0), Asked(1, other, HOWS[0])
    engine.count(Asked(0, prompt, how))
    engine.add(Asked(0, prompt, how, "calm"))  # as if it had been there when it was counted
    engine.add(stays)
    engine.drop("calm")
    pieces: list[Piece] = []
    while engine.busy():
        pieces += engine.step()
    ends = [(piece.index, piece.finish) for piece in pieces if piece.number == 0]
    assert ends == [(0, "error"), (1, "error")]
    assert told(pieces, stays)[0].text == lm.generate([other], HOWS[0])[0].text
