"""Serve a judged classifier over HTTP, exactly as it was measured.

Loopback by default; any other address needs a key. Bodies, texts, queue and time are bounded. Answers name their run.
"""

from dataclasses import dataclass, field
from pathlib import Path

from dragoman.core.errors import UserError
from dragoman.core.show import Show
from dragoman.stages.assistants import open_assistant, pick
from dragoman.stages.runs import folder_of

__all__ = ["PLACES", "SECTIONS", "Settings", "run"]

PLACES = ("run",)
SECTIONS = False


@dataclass(frozen=True)
class Settings:
    """The words and settings of `dragoman serve`."""

    run: str = ""
    "The run to serve: its name, the start of it, a rung such as lora, or its folder; empty takes the newest verdict's."
    host: str = "127.0.0.1"
    "The address to listen on; anything but this machine needs keys."
    port: int = 8000
    "The port to listen on."
    keys: str = ""
    "A file of key hashes, or env:NAME for one in the environment."
    new_key: bool = False
    "Make a key, add its hash to the keys file, print the key once, and stop."
    project: str = ""
    "The project file or its folder; empty is the folder you stand in."
    runs: str = ""
    "The folder of the runs, where it is not the project's own."
    queue: int = 32
    "How many requests may wait; the next one is answered 429 at once."
    hosts: tuple[str, ...] = field(default_factory=tuple)
    "Names, beside loopback's, that requests may be addressed to."


def run(settings: Settings, words: tuple[str, ...], show: Show) -> int:
    """Open the assistant and listen until stopped."""
    try:
        from dragoman.serve.keys import make_key, read_hashes
        from dragoman.serve.limits import Limits
        from dragoman.serve.run import serve
    except ImportError as error:
        raise UserError(
            f"the server is not installed: {error.name} is missing", 'pip install "dragoman[serve]"'
        ) from None
    if settings.new_key:
        if not settings.keys:
            raise UserError("a new key needs a file for its hash", "name it: dragoman serve --new-key keys=keys.txt")
        key = make_key(Path(settings.keys))
        show.card("a new key", [("key", key), ("its hash is in", settings.keys), ("it is shown once", "keep it now")])
        show.result({"key": key, "file": settings.keys})
        return 0
    hashes = read_hashes(settings.keys) if settings.keys else ()
    root = folder_of(settings.project, settings.runs, settings.run)
    made = pick(root, settings.run)
    opened = open_assistant(made)
    if opened.task != "classify":
        raise UserError(
            f"{made.id} does not answer with labels, and labels are what this server answers with",
            f'ask it with: dragoman ask {made.id} "..."',
        )
    opened.assistant.answer(["a warm-up"])
    serve(
        opened.assistant,
        run=made.id,
        labels=opened.labels,
        limits=Limits(queue=settings.queue, hosts=settings.hosts),
        host=settings.host,
        port=settings.port,
        key_hashes=hashes,
        model=str(opened.card.get("base", "")),
    )
    return 0
