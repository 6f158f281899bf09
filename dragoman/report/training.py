"""Builds the report of a training: the record of a pretraining, a training or a sweep becomes one HTML page."""

from collections.abc import Mapping

from dragoman.report.frame import Opening, Section, frame
from dragoman.report.sections import (
    alignment,
    commands,
    corpus,
    data,
    forgetting,
    history,
    lineage,
    loss,
    memory,
    model,
    opening,
    parity,
    predicted,
    range_test,
    risks,
    scorer,
    settings,
    speed,
    tokens,
    trials,
    written,
)

__all__ = ["SECTIONS", "render_training"]

# In the order of a reader's questions: did it learn, what did it cost, was it quick, what does it write, from what.
SECTIONS = (
    Section("trials", "Trials", "trials", trials.view),
    Section("range_test", "Learning-rate range test", "range_test", range_test.view),
    Section("alignment", "Alignment", "alignment", alignment.view),
    Section("scorer", "What it prefers", "scorer", scorer.view),
    Section("loss", "Loss", "losses", loss.view),
    Section("history", "Evaluations", "history", history.view),
    Section("forgetting", "Forgetting", "forgetting", forgetting.view),
    Section("written", "What it wrote", "samples", written.view),
    Section("predicted", "Plan against measured", "plan", predicted.view),
    Section("speed", "Speed", "speed", speed.view),
    Section("memory", "Memory", "memory", memory.view),
    Section("model", "Model", "model", model.view),
    Section("parity", "Parity", "parity", parity.view),
    Section("corpus", "Corpus", "corpus", corpus.view),
    Section("data", "Data", "data", data.view),
    Section("tokens", "What is learnt, token by token", "tokens", tokens.view),
    Section("risks", "Risks", "warnings", risks.view),
    Section("settings", "Settings", "settings", settings.view),
    Section("lineage", "Lineage", "lineage", lineage.view),
    Section("commands", "Make it again", "commands", commands.view),
)


def render_training(record: Mapping[str, object]) -> str:
    """The page for the record of a training or a sweep: UTF-8 HTML without scripts and without anything to fetch.

    Every key may be missing: its section is then left out. A key that is there but cannot be read is named at the top
    of the page. Losses are in nats a token, memory in bytes, times in seconds.

    Raises UserError where the record holds nothing to show.
    """
    head = opening.view(record)
    title = f"{head['kind']}: {head['name']}" if head["kind"] else str(head["name"])
    return frame(Opening("opening", title, head), SECTIONS, record)
