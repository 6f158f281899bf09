"""Adapters that come, change and go in a folder are served by their names, and no answer is mixed of two."""

import shutil
from pathlib import Path

import pytest
import torch

from dragoman.core.engine import Asked, Piece
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.engine import LocalEngine
from dragoman.models.engines import open_engine
from dragoman.nn.decoder import Decoder
from dragoman.nn.store import load_lm
from dragoman.serve.adapters import AdapterFolder
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.scheduler import Scheduler
from dragoman.serve.served import Catalogue, Lineage, Served
from dragoman.train.adapter import write_adapter
from dragoman.train.tuning.lora import Lora
from tests.nn.tiny_lm import folder_of

PROMPT = (Message("user", "the hill"),)
HOW = Sampling(max_tokens=8)


def adapter(base: Path, folder: Path, seed: int) -> None:
    """An adapter that changes what its base says; one that lies there is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    net = load_lm(base)
    assert isinstance(net, Decoder)
    tuned = Lora(rank=3).apply(net, 0)
    dice = torch.Generator().manual_seed(seed)
    for weight in tuned.parameters():
        if weight.requires_grad:
            weight.data.normal_(0, 0.15, generator=dice)
    write_adapter(tuned, Lora(rank=3), folder, str(base))


def said(engine: LocalEngine, served: Served, number: int) -> str:
    engine.add(Asked(number, PROMPT, HOW, served.adapter))
    pieces: list[Piece] = []
    while engine.busy():
        pieces += engine.step()
    return "".join(piece.text for piece in pieces if piece.number == number)


def test_they_come_change_and_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, folder = folder_of("llama", tmp_path / "base"), tmp_path / "loras"
    folder.mkdir()
    engine, _ = open_engine(base, device="cpu", precision="fp32", room=8)
    assert isinstance(engine, LocalEngine)
    served = Served("tiny", "write", Lineage(base="b"), scheduler=Scheduler(engine, Limits(), Meters("x")))
    catalogue = Catalogue([served])
    shelf = AdapterFolder(folder, served, engine, catalogue)
    shelf.look()
    assert [one.name for one in catalogue] == ["tiny"]
    plain = said(engine, served, 1)

    adapter(base, folder / "calm", 0)
    (folder / "half").mkdir()
    shelf.look()
    assert [one.name for one in catalogue] == ["tiny", "calm"]
    calm = catalogue.find("calm")
    first = said(engine, calm, 2)
    assert first != plain and calm.lineage == Lineage(base="b", adapter="calm")

    engine.add(Asked(3, PROMPT, HOW, calm.adapter))
    pieces = engine.step()
    adapter(base, folder / "calm", 1)
    shelf.look()
    shelf.look()  # what did not change is not read again
    second = said(engine, catalogue.find("calm"), 4)
    assert second != first
    assert calm.adapter not in engine.adapters()
    assert pieces and said(engine, served, 5) == plain

    shutil.rmtree(folder / "calm")
    shelf.look()
    assert [one.name for one in catalogue] == ["tiny"]
    engine.step()
    assert engine.adapters() == ()
    assert capsys.readouterr().err == ""


def test_an_answer_that_has_begun_keeps_its_adapter(tmp_path: Path) -> None:
    base, folder = folder_of("llama", tmp_path / "base"), tmp_path / "loras"
    adapter(base, folder / "calm", 0)
    engine, _ = open_engine(base, device="cpu", precision="fp32", room=8)
    assert isinstance(engine, LocalEngine)
    served = Served("tiny", "write", Lineage(), scheduler=Scheduler(engine, Limits(), Meters("x")))
    catalogue = Catalogue([served])
    shelf = AdapterFolder(folder, served, engine, catalogue)
    shelf.look()
    old = catalogue.find("calm")
    alone = said(engine, old, 1)
    engine.add(Asked(2, PROMPT, HOW, old.adapter))
    pieces = [*engine.step(), *engine.step()]
    adapter(base, folder / "calm", 1)
    shelf.look()
    while engine.busy():
        pieces += engine.step()
    assert "".join(piece.text for piece in pieces) == alone


def test_one_that_does_not_fit_is_told_and_what_was_served_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, folder = folder_of("llama", tmp_path / "base"), tmp_path / "loras"
    engine, _ = open_engine(base, device="cpu", precision="fp32", room=2)
    assert isinstance(engine, LocalEngine)
    served = Served("tiny", "write", Lineage(), scheduler=Scheduler(engine, Limits(), Meters("x")))
    catalogue = Catalogue([served])
    adapter(base, folder / "thick", 0)
    adapter(base, folder / "tiny", 0)
    shelf = AdapterFolder(folder, served, engine, catalogue)
    shelf.look()
    shelf.look()
    told = capsys.readouterr().err
    assert told.count("the adapter thick is not served") == 1 and "rank 3" in told
    assert told.count("the adapter tiny is not served") == 1
    assert [one.name for one in catalogue] == ["tiny"]
