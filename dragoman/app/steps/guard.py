"""Keeps documents, answers and questions to their place around another step: what is read is marked, what is said is
filtered."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.assistant import NoModel
from dragoman.app.guards.datamark import How
from dragoman.app.guards.leak import Canary
from dragoman.app.guards.links import Cleared, clear_links, hosts_of
from dragoman.app.guards.personal import Find, Masked, mask_personal
from dragoman.app.guards.spotlight import Spotlight, evidence
from dragoman.app.guards.topic import Topic
from dragoman.app.guards.toxicity import Toxicity
from dragoman.app.steps.retrieve import joined
from dragoman.app.turn import Step, Turn
from dragoman.core.doors import LM
from dragoman.core.types import Answer, Message

__all__ = ["OFF_TOPIC", "WITHHELD", "Guard", "guard_hits"]

WITHHELD = "This answer was withheld."
OFF_TOPIC = "This is not what this assistant is for."
HITS = (
    ("leak", re.compile(r"guard: the system message was given away")),
    ("links", re.compile(r"guard: (\d+) foreign addresses were removed")),
    ("personal", re.compile(r"guard: (\d+) personal values were masked")),
    ("topic", re.compile(r"topic: ")),
    ("toxicity", re.compile(r"toxicity: ")),
)


def guard_hits(trace: Sequence[str]) -> dict[str, int]:
    """How often each guard held something back, as the trace of an answer tells it; those that did nothing are left
    out."""
    found: Counter[str] = Counter()
    for line in trace:
        for name, pattern in HITS:
            if hit := pattern.match(line):
                found[name] += int(hit[1]) if pattern.groups else 1
    return dict(found)


@dataclass(frozen=True)
class Guard:
    """A step with guards around it. The filters of the answer hold whatever the model does; marks only help it.

    The model sees the passages marked (spotlighting). An answer that gives away the system message is withheld; links
    and images that lead elsewhere, and personal data, are taken out of it.
    """

    inner: Step
    "The step that reads passages and writes an answer."

    how: How | None = "datamark"
    "How documents are marked; none leaves them as they are. `encode` is for models that read base64."

    canary: Canary | None = None
    "Planted in the system message; an answer that holds it is withheld."

    hosts: frozenset[str] = frozenset()
    "Hosts that an answer may lead to, besides those of the sources."

    links: bool = True
    "Whether addresses that lead elsewhere are taken out of an answer."

    find_personal: Find | None = None
    "Finds personal data, which is masked for the model and in the answer; none masks nothing."

    documents_may_say: bool = False
    "Whether personal data that stands in the passages may stand in the answer."

    topic: Topic | None = None
    "Refuses questions that the assistant is not for."

    toxicity: Toxicity | None = None
    "Withholds answers that hurt."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn as the inner step moved it on, with its answer filtered; its trace says what was done."""
        why = self.topic.refuses([turn.sought or joined(turn) for turn in turns]) if self.topic else [""] * len(turns)
        open_rows = [row for row, one in enumerate(why) if not one]
        asked = [self._hidden(turns[row]) for row in open_rows]
        texts = evidence([passage for turn, _ in asked for passage in turn.passages])
        seen = lm if isinstance(lm, NoModel) or self.how is None else Spotlight(lm, texts, self.how)
        moved = self.inner([turn for turn, _ in asked], seen)
        if len(moved) != len(asked):
            raise RuntimeError(f"{self.inner} made {len(moved)} turns out of {len(asked)}")
        marked = seen.marked if isinstance(seen, Spotlight) else set()
        done = [
            self._told(turns[row], given, masked, after, marked)
            for row, (given, masked), after in zip(open_rows, asked, moved, strict=True)
        ]
        made = dict(zip(open_rows, self._harmless(done), strict=True))
        return [made[row] if row in made else _withheld(turn, OFF_TOPIC, why[row]) for row, turn in enumerate(turns)]

    def _hidden(self, turn: Turn) -> tuple[Turn, Masked]:
        """The turn as the model may see it: without the personal data of who asks, and with the canary."""
        masked = mask_personal(turn.question, self.find_personal) if self.find_personal else Masked(turn.question)
        messages = list(turn.messages)
        if self.find_personal:
            hidden = {value: name for name, value in masked.held.items()}
            for row, message in enumerate(messages):
                inside = mask_personal(message.content, self.find_personal, start=hidden)
                hidden |= {value: name for name, value in inside.held.items()}
                messages[row] = Message(message.role, inside.text)
            masked = Masked(masked.text, {name: value for value, name in hidden.items()})
        if self.canary:
            system = messages.pop(0).content if messages and messages[0].role == "system" else ""
            messages.insert(0, Message("system", self.canary.planted(system)))
        return replace(turn, question=masked.text, messages=tuple(messages)), masked

    def _told(self, before: Turn, given: Turn, masked: Masked, after: Turn, marked: set[str]) -> Turn:
        """What the inner step made of a turn, as it may be told: its own words again, the answer filtered."""
        own = (
            dict(zip(given.messages[-len(before.messages) :], before.messages, strict=True)) if before.messages else {}
        )
        planted = given.messages[0] if self.canary and len(given.messages) > len(before.messages) else None
        messages = tuple(own.get(one, one) for one in after.messages if one != planted)
        notes = self._notes(after, marked)
        text = after.answer.text
        trace = tuple(one for one in after.trace if not (self.canary and self.canary.leak(one)))
        turn = replace(
            after,
            question=before.question if after.question == given.question else masked.restored(after.question),
            messages=messages,
            trace=(*trace, *notes),
        )
        leak = self.canary.leak(text) if self.canary else ""
        if leak:
            return _withheld(turn, WITHHELD, f"guard: the system message was given away ({leak})")
        if not text or text == before.answer.text:
            return turn
        cleared = clear_links(text, (*self.hosts, *hosts_of(turn.sources))) if self.links else Cleared(text)
        removed = len(cleared.removed)
        trace = (*turn.trace, *([f"guard: {removed} foreign addresses were removed"] if removed else ()))
        text = masked.restored(cleared.text)
        if self.find_personal:
            known = "\n".join(passage.chunk.text for passage in turn.passages) if self.documents_may_say else ""
            out = mask_personal(text, self.find_personal, "\n".join((known, *masked.held.values())))
            trace = (*trace, *([f"guard: {len(out.held)} personal values were masked"] if out.held else ()))
            text = out.text
        return replace(turn, answer=replace(turn.answer, text=text), trace=trace)

    def _notes(self, turn: Turn, marked: set[str]) -> tuple[str, ...]:
        """How many passages the model read marked: all, or a step writes them in a way of its own."""
        if self.how is None or not turn.passages:
            return ()
        count = sum(any(text in marked for text in evidence([passage])) for passage in turn.passages)
        return (f"guard: {count} of {len(turn.passages)} passages marked by {self.how}",)

    def _harmless(self, turns: Sequence[Turn]) -> list[Turn]:
        if not self.toxicity:
            return list(turns)
        why = self.toxicity.refuses([turn.prompt for turn in turns], [turn.answer.text for turn in turns])
        return [_withheld(turn, WITHHELD, one) if one else turn for turn, one in zip(turns, why, strict=True)]


def _withheld(turn: Turn, text: str, why: str) -> Turn:
    return replace(turn, answer=Answer(text, finish="stop"), citations=(), refused=True, trace=(*turn.trace, why))
