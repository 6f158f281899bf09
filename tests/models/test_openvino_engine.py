"""OpenVINO writes what our own net would: many answers at once, by our own ids, and refused where it is another's."""

import json
from pathlib import Path

import pytest

from dragoman.core.engine import Asked, Piece
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.engines import engine_of, open_engine
from dragoman.models.local import LocalLM
from dragoman.models.openvino_engine import OpenVinoEngine, cache_folder, open_openvino, prove
from dragoman.models.openvino_export import write_model
from dragoman.nn.decoder import Decoder
from dragoman.nn.store import fresh_lm

genai = pytest.importorskip("openvino_genai")

PROMPTS = [(Message("user", text),) for text in ("Once upon a time", "The little dog", "Tom was sad because")]
GREEDY = Sampling(max_tokens=24)


@pytest.fixture(scope="module")
def opened(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[OpenVinoEngine, LocalLM, Path]:
    folder = shared_data / "models" / "stories260K"
    if not folder.is_dir():
        pytest.skip("the stories model is not here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        engine, lm = open_openvino(folder, rows=4)
        return engine, lm, next(cache_folder().iterdir())


def finished(engine: OpenVinoEngine) -> list[Piece]:
    pieces: list[Piece] = []
    while engine.busy():
        pieces += engine.step()
    return pieces


def text_of(pieces: list[Piece], number: int, index: int = 0) -> str:
    return "".join(piece.text for piece in pieces if (piece.number, piece.index) == (number, index))


def test_it_was_proven_before_it_was_kept(opened: tuple[OpenVinoEngine, LocalLM, Path]) -> None:
    kept = json.loads((opened[2] / "proof.json").read_text())
    assert kept["agreement"] >= 0.9
    assert kept["cost"] <= 0.02
    again = prove(opened[0], opened[1])
    assert again.agreement == pytest.approx(kept["agreement"], abs=0.05)


def test_many_answers_are_what_our_own_net_writes(opened: tuple[OpenVinoEngine, LocalLM, Path]) -> None:
    engine, lm, _ = opened
    asked = [Asked(number, prompt, GREEDY) for number, prompt in enumerate(PROMPTS * 3)]
    for one in asked:
        assert engine.count(one) == len(lm.ids(one.prompt))
        engine.add(one)
    pieces = finished(engine)
    for one, wanted in zip(asked, lm.generate([one.prompt for one in asked], GREEDY), strict=True):
        mine = [piece for piece in pieces if piece.number == one.number]
        assert text_of(pieces, one.number)[:30] == wanted.text[:30]
        assert sum(piece.count for piece in mine) == 24
        assert mine[-1].finish == "length"
        assert sum(piece.read for piece in mine) == len(lm.ids(one.prompt))


def test_a_stop_text_ends_an_answer_and_several_are_drawn(opened: tuple[OpenVinoEngine, LocalLM, Path]) -> None:
    engine, lm, _ = opened
    whole = lm.generate([PROMPTS[0]], GREEDY)[0].text
    stop = whole.split()[3]
    engine.add(Asked(0, PROMPTS[0], Sampling(max_tokens=24, stop=(stop,))))
    engine.add(Asked(1, PROMPTS[1], Sampling(max_tokens=8, n=2, temperature=1.0, top_k=50, top_p=0.9, min_p=0.01)))
    pieces = finished(engine)
    assert text_of(pieces, 0) == whole[: whole.index(stop)]
    assert sorted((one.index, one.finish) for one in pieces if one.number == 1 and one.finish) == [
        (0, "length"), (1, "length")
    ]  # fmt: skip
    assert text_of(pieces, 1) != text_of(pieces, 1, 1)


def test_who_leaves_is_forgotten(opened: tuple[OpenVinoEngine, LocalLM, Path]) -> None:
    engine = opened[0]
    for number, prompt in enumerate(PROMPTS):
        engine.add(Asked(number, prompt, GREEDY))
    engine.step()
    engine.cancel(0)
    engine.cancel(9)
    assert engine.busy() == 2
    assert {piece.number for piece in finished(engine)} == {1, 2}
    engine.add(Asked(0, PROMPTS[0], GREEDY))
    engine.close()
    assert engine.busy() == 0


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (Sampling(beams=2), "beams"),
        (Sampling(logprobs=1), "logprobs"),
        (Sampling(repetition_penalty=1.2), "repetition_penalty"),
        (Sampling(choices=("a",)), "shape"),
    ],
)
def test_what_it_has_no_word_for(opened: tuple[OpenVinoEngine, LocalLM, Path], how: Sampling, said: str) -> None:
    with pytest.raises(UserError, match=said):
        opened[0].count(Asked(0, PROMPTS[0], how))
    with pytest.raises(UserError, match="adapters"):
        opened[0].count(Asked(0, PROMPTS[0], GREEDY, adapter="a"))


def test_another_models_graph_is_refused(opened: tuple[OpenVinoEngine, LocalLM, Path], tmp_path: Path) -> None:
    import openvino

    lm = opened[1]
    other = fresh_lm(lm.arch)
    assert isinstance(other, Decoder)
    openvino.save_model(write_model(other), tmp_path / "openvino_model.xml", compress_to_fp16=False)
    engine = OpenVinoEngine(lm, tmp_path, rows=2)
    with pytest.raises(UserError, match="another model"):
        prove(engine, lm)


def test_where_it_cannot_be_had(opened: tuple[OpenVinoEngine, LocalLM, Path]) -> None:
    with pytest.raises(UserError, match="own folder"):
        engine_of(opened[1], "openvino")
    with pytest.raises(UserError, match="alone, on the CPU"):
        open_engine("fake:", device="cuda", kind="openvino")
    with pytest.raises(UserError, match="no decoder"):
        open_engine("fake:", kind="openvino")
