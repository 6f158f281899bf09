"""A small real model behind a real server, for tests of the API as clients meet it."""

import json
from pathlib import Path

from dragoman.core.sampling import Sampling
from dragoman.models.engines import open_engine
from dragoman.nn.templates import TEMPLATES
from dragoman.serve.context import Context
from dragoman.serve.journal import Journal, Policy
from dragoman.serve.limits import Limits
from dragoman.serve.meters import Meters
from dragoman.serve.scheduler import Scheduler
from dragoman.serve.served import Catalogue, Lineage, Served
from tests.nn.tiny_lm import folder_of

__all__ = ["HOW", "longer", "writing_context"]

HOW = Sampling(max_tokens=12)


def writing_context(folder: Path, limits: Limits | None = None, journal: Path | None = None) -> Context:
    """A server of one random decoder that is talked to."""
    bounds, meters = limits or Limits(), Meters("tiny")
    made = folder if (folder / "config.json").exists() else longer(folder_of("llama", folder, TEMPLATES["instruct"]))
    engine, _ = open_engine(made, device="cpu", precision="fp32")
    scheduler = Scheduler(engine, bounds, meters)
    served = Served("tiny", "chat", Lineage(base="tiny", prompt="p1"), scheduler=scheduler, written=HOW)
    kept = Journal(journal, Policy()) if journal else None
    return Context(Catalogue([served]), bounds, meters, journal=kept)


def longer(folder: Path) -> Path:
    """The same model for longer texts: turned positions need no table."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 1024}))
    return folder
