"""What a project puts around the steps that answer: its prompt and its guards, kept in a card and built from it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dragoman.app.guards.datamark import How
from dragoman.app.guards.leak import Canary, new_canary
from dragoman.app.guards.personal import Find as FindPersonal
from dragoman.app.guards.personal import mask_personal
from dragoman.app.guards.topic import Topic
from dragoman.app.guards.toxicity import Toxicity
from dragoman.app.passages import Find
from dragoman.app.prompts import PromptFile, read_prompt
from dragoman.app.refusal import FEWEST
from dragoman.app.steps.chain import Chain
from dragoman.app.steps.guard import Guard
from dragoman.app.steps.system_prompt import SystemPrompt
from dragoman.app.turn import Step
from dragoman.core.config import build, dump
from dragoman.core.documents import Chunk, Hit
from dragoman.core.doors import LM, Embedder, Prompt
from dragoman.core.errors import UserError
from dragoman.core.guarding import Guards
from dragoman.core.project import Project
from dragoman.core.types import Example, Message
from dragoman.data.private import hints

__all__ = ["Around", "Harm", "Masking", "identity_of", "kept", "open_around", "prompt_of", "system_of"]

SLOTS = ("name", "objective", "audience")
SHOWN = 32  # questions that a new one is compared with, besides the objective
CALIBRATED = 200  # questions of each kind that choose a threshold
AGAIN = "make the run again with: dragoman run"


@dataclass(frozen=True)
class Harm:
    """A classifier as a judge of answers: their worth is one minus the probability of the label that hurts."""

    lm: LM
    label: str

    def rate(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> NDArray[np.float64]:
        """Of shape [n], 0 to 1; the answer alone is read."""
        if not answers:
            return np.zeros(0)
        logs = self.lm.score([(Message("user", answer),) for answer in answers], [self.label])
        return np.asarray(1.0 - np.exp(logs[:, 0]), dtype=np.float64)


@dataclass(frozen=True)
class Around:
    """The prompt and the guards of one assistant, open. The default one changes nothing of what was there without."""

    guards: Guards = field(default_factory=Guards)
    prompt: PromptFile | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    topic: Topic | None = None
    toxicity: Toxicity | None = None

    @property
    def told(self) -> tuple[Step, ...]:
        """The step that tells the system's message; none where there is no prompt."""
        return (SystemPrompt(self.prompt, self.values),) if self.prompt else ()

    def _marks(self, auto: How | None) -> How | None:
        """How what others wrote is marked, where `auto` is what nobody said otherwise of."""
        if self.guards.marks == "auto":
            return auto
        return None if self.guards.marks == "none" else self.guards.marks

    def canary(self) -> Canary | None:
        """A canary that nobody has seen, which watches over the words of the prompt too."""
        if not self.guards.canary:
            return None
        return new_canary(self.prompt.filled(self.values) if self.prompt else "")

    def found(self, find: Find) -> Find:
        """What finds pieces, without the personal data in them where all of it is masked."""
        return Masking(find, hints) if self.guards.personal is True else find

    def cited(self, inner: Step) -> Step:
        """A step that writes from documents, guarded. What a document says may be said unless all personal data is
        masked, but an address that no document holds may not: a model makes those up, or obeys one."""
        return Guard(
            inner,
            how=self._marks("datamark"),
            canary=self.canary(),
            hosts=self.guards.hosts,
            find_personal=hints if self.guards.personal else None,
            documents_may_say=True,
            topic=self.topic,
            toxicity=self.toxicity,
        )

    def quoted(self, inner: Step) -> Step:
        """A step that quotes documents, guarded where it has a topic or a tone to keep."""
        if not self.topic and not self.toxicity:
            return inner
        return Guard(inner, how=None, links=False, topic=self.topic, toxicity=self.toxicity)

    def written(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Steps that end in an answer without documents, as one guarded step where there is a guard."""
        if self.guards == Guards():
            return steps
        guard = Guard(
            Chain(steps),
            how=self._marks(None),
            canary=self.canary(),
            links=bool(self.guards.links),
            hosts=self.guards.hosts,
            find_personal=hints if self.guards.personal is True else None,
            topic=self.topic,
            toxicity=self.toxicity,
        )
        return (guard,)


@dataclass(frozen=True)
class Masking:
    """Finds pieces and takes what is personal out of their text, title and headings before anybody reads it. A kind
    stands in its place, without a number: a number is what a value of who asks has, which comes back in the answer."""

    find: Find
    personal: FindPersonal

    def __call__(self, question: str, k: int, access: frozenset[str]) -> list[Hit]:
        """The pieces as `find` gives them, masked."""
        return [replace(hit, chunk=self._masked(hit.chunk)) for hit in self.find(question, k, access)]

    def _masked(self, chunk: Chunk) -> Chunk:
        text, path = self._without(chunk.text), tuple(map(self._without, chunk.path))
        return chunk if (text, path) == (chunk.text, chunk.path) else replace(chunk, text=text, path=path)

    def _without(self, text: str) -> str:
        held = mask_personal(text, self.personal)
        text = held.text
        for name in held.held:
            text = text.replace(name, f"{name.rsplit(' ', 1)[0]}]")
        return text


def prompt_of(project: Project) -> tuple[PromptFile, dict[str, str]] | None:
    """The prompt of a project and what stands in its slots; None without a file. Raises UserError as `read_prompt`, and
    for a slot that the scope cannot fill."""
    if not project.prompt.file:
        return None
    prompt = read_prompt(project.place(project.prompt.file))
    strange = next((slot for slot in prompt.slots if slot not in SLOTS), "")
    if strange:
        known = ", ".join(f"{{{name}}}" for name in SLOTS)
        raise UserError(f"the prompt {prompt.name} has a slot {{{strange}}}", f"there are {known}; a brace is {{{{")
    return prompt, {slot: str(getattr(project.scope, slot)) for slot in prompt.slots}


def system_of(project: Project) -> str:
    """What the prompt tells the model, in the same words when it learns and when it answers; empty without one."""
    found = prompt_of(project)
    return found[0].filled(found[1]) if found else ""


def identity_of(project: Project) -> dict[str, Any]:
    """What the settings of a run say of prompt and guards, so that it is made again where either changed; empty where
    neither is set. Raises UserError where one cannot be opened."""
    told: dict[str, Any] = {}
    if found := prompt_of(project):
        prompt, values = found
        told["prompt"] = {"mark": prompt.mark, "version": prompt.version, "values": values}
    if project.guards != Guards():
        told["guards"] = dump(project.guards)
        if project.guards.toxicity:
            told["toxicity"] = _classifier(project)[1]
        if project.guards.topic:
            told["topic"] = [project.documents.embedder, project.scope.objective, project.data.seed]
    return told


def kept(project: Project, rows: Sequence[Example] = ()) -> dict[str, Any]:
    """What a card keeps of prompt and guards; `rows` are of the training part. Empty where neither is set."""
    told: dict[str, Any] = {}
    if found := prompt_of(project):
        told |= {"prompt": asdict(found[0]), "values": found[1], "mark": found[0].mark}
    if project.guards != Guards():
        told["guards"] = dump(project.guards)
        if project.guards.topic:
            told["topic"] = _topic(project, rows)
        if project.guards.toxicity:
            folder, fingerprint = _classifier(project)
            told["toxicity"] = {"folder": folder, "fingerprint": fingerprint}
    return told


def open_around(told: Mapping[str, Any]) -> Around:
    """What a card keeps, open; of an empty one what stands there without. Raises UserError where a model is not the one
    it was made with."""
    guards = build(Guards, told.get("guards", {}), "guards")
    prompt = PromptFile(**told["prompt"]) if told.get("prompt") else None
    topic, toxicity = None, None
    if one := told.get("topic"):
        topic = Topic(_embedder(one["embedder"], one["fingerprint"]), tuple(one["texts"]), float(one["threshold"]))
    if one := told.get("toxicity"):
        from dragoman.models.open import open_classifier

        folder = _same(one["folder"], one["fingerprint"])
        toxicity = Toxicity(Harm(open_classifier(folder), guards.judge[1]))
    return Around(guards, prompt, dict(told.get("values", {})), topic, toxicity)


def _classifier(project: Project) -> tuple[str, str]:
    """The folder of the classifier that knows what hurts, and what it holds. Raises UserError where it has no such
    label."""
    from dragoman.models.rewards import Named
    from dragoman.models.source import fingerprint, resolve
    from dragoman.nn.weights import read_config

    where, label = project.guards.judge
    near = (project.root / where).exists()
    folder = resolve(Named("label", project.place(where) if near else where, label).folder(project.runs_folder))
    labels = [str(one) for one in dict(read_config(folder).get("id2label") or {}).values()]
    if label not in labels:
        problem = f"the classifier of guards.toxicity knows no label '{label}'"
        raise UserError(problem, f"name one of: {', '.join(labels) or 'none, it is no classifier'}")
    return str(folder), fingerprint(folder)


def _topic(project: Project, rows: Sequence[Example]) -> dict[str, Any]:
    """What questions are compared with, and the cosine below which they are refused: the one that is given, or one
    chosen on other questions of the training part against questions of all fields."""
    from dragoman.models.source import fingerprint, resolve

    spec = project.place(project.documents.embedder)
    spec = "builtin:minilm" if spec == "none" else str(Path(spec).absolute()) if Path(spec).is_dir() else spec
    held = fingerprint(resolve(spec))
    asked = list(dict.fromkeys(one.prompt[-1].content for one in rows if one.prompt and one.prompt[-1].role == "user"))
    random.Random(project.data.seed).shuffle(asked)
    shown, others = asked[: min(SHOWN, len(asked) // 2)], asked[min(SHOWN, len(asked) // 2) :][:CALIBRATED]
    texts = [text for text in (project.scope.objective, project.guards.about, *shown) if text.strip()]
    if not texts:
        raise UserError("nothing says what the assistant is for", "say it: guards.about=..., or scope.objective")
    topic: dict[str, Any] = {"texts": texts, "embedder": spec, "fingerprint": held}
    if not isinstance(project.guards.topic, bool):
        return {**topic, "threshold": float(project.guards.topic)}
    if len(others) < FEWEST:
        problem = f"the topic is not learnt from {len(asked)} questions: at least {2 * FEWEST} are needed"
        raise UserError(problem, "give more rows, or the cosine itself: guards.topic=0.3")
    from dragoman.evals.off_topic import OFF_TOPIC

    guard, found = Topic(_embedder(spec, held), tuple(texts)).calibrated(others, OFF_TOPIC)
    errors = {"false_refusals": asdict(found.false_refusals), "false_answers": asdict(found.false_answers)}
    return {**topic, "threshold": guard.threshold, **errors}


def _embedder(spec: str, held: str) -> Embedder:
    from dragoman.models.open import open_embedder

    opened: Embedder = open_embedder(_same(spec, held))
    return opened


def _same(spec: str, held: str) -> Path:
    """The folder of a model. Raises UserError where it is not the one that it was."""
    from dragoman.models.source import fingerprint, resolve

    folder = resolve(spec)
    if fingerprint(folder) != held:
        raise UserError(f"{spec} is not the model this run was made with", AGAIN)
    return folder
