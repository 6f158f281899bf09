"""Whether an engine behind an address answers, and which models it has: looked at by a thread of its own."""

import random
import threading
from typing import Any

from dragoman.core.errors import UserError
from dragoman.models.protocol import objects
from dragoman.models.wire import Cancelled, Wire

__all__ = ["Health"]

FAILING = 3.0  # seconds between two looks at an engine that does not answer, shortened by up to half at random
WELL = 30.0  # at one that does: a model that it took on meanwhile is found so


class Health:
    """What is known of one engine. Nothing is known, and all is taken to be well, before the first look is over.

    A look asks for GET /health beside the address's /v1 (vLLM, TGI, llama.cpp), which not all have, and for the list of
    models: both have to be well where they are there.
    """

    def __init__(self, wire: Wire, model: str, failing: float = FAILING, well: float = WELL) -> None:
        self.problem = ""
        "why no request would be answered, a sentence without the key; empty where one would be"
        self.models: tuple[str, ...] = ()
        "what else the engine answers with: other models, or adapters over this one"
        self._wire = wire
        self._model = model
        self._failing, self._well = failing, well
        self._soon = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="engine health", daemon=True)
        self.looked = threading.Event()
        "set when the first look is over"

    @property
    def good(self) -> bool:
        """Whether a request would be answered, as far as is known."""
        return not self.problem

    def start(self) -> None:
        """Look now, and go on looking."""
        self._thread.start()

    def look_soon(self) -> None:
        """Something went wrong: look without waiting for the next turn."""
        self._soon.set()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._soon.set()
        self._wire.cancel()
        if self._thread.is_alive():
            self._thread.join(timeout=1)

    def look(self) -> None:
        """One look, in the thread that calls this."""
        try:
            self.problem = self._alive() or self._list()
        except UserError as error:
            self.problem = error.problem
        except Cancelled:
            return
        self.looked.set()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self._soon.clear()
            self.look()
            pause = self._well if self.good else self._failing * random.uniform(0.5, 1)
            if self._soon.wait(pause):
                self._stopped.wait(min(self._failing, 0.2))  # a thousand failures at once are one reason to look

    def _alive(self) -> str:
        root = self._wire.url.removesuffix("/v1")
        status, _ = self._wire.look(f"{root}/health")
        return f"{self._wire.url} says that it is not well ({status})" if status >= 500 and status != 501 else ""

    def _list(self) -> str:
        status, found = self._wire.look("/models")
        if status in (401, 403):
            return f"{self._wire.url} refuses the key ({status})"
        if status >= 500 and status != 501:
            return f"{self._wire.url} cannot say which models it has ({status})"
        told: list[dict[str, Any]] = objects(found.get("data")) if isinstance(found, dict) else []
        names = [one["id"] for one in told if isinstance(one.get("id"), str)]
        self.models = tuple(name for name in dict.fromkeys(names) if name and name != self._model)
        return ""
