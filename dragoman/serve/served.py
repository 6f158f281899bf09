"""What a server serves: models and assistants by name, each with where it comes from."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from dragoman.app.assistant import Assistant
from dragoman.core.doors import Embedder
from dragoman.core.sampling import Sampling
from dragoman.serve.refused import Refused
from dragoman.serve.scheduler import Scheduler
from dragoman.serve.worker import Worker

__all__ = ["Catalogue", "Lineage", "Served"]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where an answer comes from; what is not known is empty."""

    project: str = ""
    run: str = ""
    base: str = ""
    adapter: str = ""
    data: str = ""
    "the hash of the data it learnt from"
    prompt: str = ""
    "the hash of what the model is told around the question"
    verdict: str = ""
    "what the judgement said: met, not met; empty where it was not judged"

    @property
    def header(self) -> str:
        """What is known as compact JSON in ASCII, which a header may hold."""
        return json.dumps({name: value for name, value in asdict(self).items() if value}, separators=(",", ":"))


@dataclass(frozen=True)
class Served:
    """One model or assistant by the name it is called.

    What writes has a `scheduler`; what labels, tags or answers from documents has an `assistant` behind a `worker`;
    what embeds has an `embedder`. An assistant that writes has both: its steps up to the writing are taken first.
    """

    name: str
    task: str
    "classify, tag, embed, or what a model that writes is for: chat, write, answer, summarize, translate, ask"
    lineage: Lineage
    scheduler: Scheduler | None = None
    adapter: str = ""
    "which adapter of the scheduler's engine answers"
    assistant: Assistant | None = None
    worker: Worker | None = None
    embedder: Embedder | None = None
    labels: tuple[str, ...] = ()
    written: Sampling = field(default_factory=Sampling)
    "how it writes where a request says nothing: as it was judged"
    made: int = field(default_factory=lambda: int(time.time()))
    "seconds since 1970"

    @property
    def sources(self) -> bool:
        """Whether its answers stand on documents."""
        return self.task == "ask"


class Catalogue:
    """The models of a server by name; the first one answers where none is named. They may come and go meanwhile."""

    def __init__(self, served: Sequence[Served]) -> None:
        self._held = {one.name: one for one in served}
        if not served or len(self._held) < len(served):
            raise ValueError("a server needs at least one model, and each has a name of its own")

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._held.values()))

    @property
    def first(self) -> Served:
        """The one that answers where none is named."""
        return next(iter(self._held.values()))

    def find(self, name: str) -> Served:
        """The one of that name; the first where the name is empty. Raises Refused (404)."""
        found = self._held.get(name) if name else self.first
        if found is None:
            said = "there is no model of that name: GET /v1/models lists them"
            raise Refused(404, said, param="model", code="model_not_found")
        return found

    def put(self, served: Served) -> None:
        """Serve one more, or another one under a name that is there."""
        self._held = {**self._held, served.name: served}

    def take(self, name: str) -> None:
        """Serve one no longer; what it is answering it answers to the end. The last one stays."""
        if set(self._held) != {name}:
            self._held = {other: one for other, one in self._held.items() if other != name}
