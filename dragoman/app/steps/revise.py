"""Lets an answer be criticised and rewritten by the principles of a constitution before anybody sees it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dragoman.app.constitution import Constitution, default_constitution
from dragoman.app.critique import ask_critique, ask_revision, freed, repeats
from dragoman.app.steps.write import written
from dragoman.app.turn import Turn
from dragoman.core.doors import LM, Prompt
from dragoman.core.sampling import Sampling

__all__ = ["REPEATED", "Revise", "revised", "row_of"]

REPEATED = "repeated"
"why a revision is none: it says its critique over"


def row_of(prompt: Prompt) -> str:
    """What principles are drawn by: the same prompt gets the same ones, whatever stands beside it."""
    said = json.dumps([[message.role, message.content] for message in prompt])
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def revised(
    turns: Sequence[Turn], critic: LM, writer: LM, constitution: Constitution, number: int, seed: int, how: Sampling
) -> list[Turn]:
    """Every turn with its answer rewritten once, by the principle of its round `number`, which its trace names.

    `critic` says what is wrong and `writer` rewrites; they may be one. The critique stands in no turn. The answer's
    `finish` tells what came of it: `stop`, `length` where it was cut off, `refused` where the dialogue is longer than
    the writer reads or there is no critique, `repeated` where it says its critique over. The text is then of no use.
    """
    rules = [constitution.to_revise(seed, row_of(turn.prompt), number) for turn in turns]
    asked = [
        ask_critique(constitution, rule, turn.prompt, turn.answer.text) for rule, turn in zip(rules, turns, strict=True)
    ]
    critiques = [one.text.strip() for one in written(asked, critic, how)]
    able = [row for row, critique in enumerate(critiques) if critique]
    wanted = [ask_revision(asked[row], rules[row], critiques[row]) for row in able]
    made = dict(zip(able, written(wanted, writer, how), strict=True))
    found = []
    for row, turn in enumerate(turns):
        one = made.get(row)
        text = freed(one.text, turn.prompt, turn.answer.text) if one is not None else ""
        finish = one.finish if one is not None else "refused"
        known = (*(message.content for message in turn.prompt), turn.answer.text)
        if finish == "stop" and repeats(text, critiques[row], known):
            finish = REPEATED
        answer = replace(turn.answer, text=text, finish=finish, tokens=one.tokens if one is not None else 0)
        found.append(replace(turn, answer=answer, trace=(*turn.trace, f"revise: {rules[row].name}")))
    return found


@dataclass(frozen=True)
class Revise:
    """Critique and revision of an answer that is there already (Bai et al. 2022, 2212.08073)."""

    constitution: Constitution | None = None
    "The principles; none takes the eight that come along."

    rounds: int = 1
    "How often an answer is rewritten, each time by another principle."

    max_tokens: int = 512
    "The most tokens of a critique, and of an answer."

    seed: int = 0
    "Draws the principles."

    def __call__(self, turns: Sequence[Turn], lm: LM) -> list[Turn]:
        """Every turn with its answer rewritten; a revision that is empty or did not end leaves the answer before it."""
        rules = self.constitution or default_constitution()
        found = list(turns)
        for number in range(self.rounds):
            tried = revised(found, lm, lm, rules, number, self.seed, Sampling(max_tokens=self.max_tokens))
            found = [
                new if new.answer.text and new.answer.finish == "stop" else old
                for old, new in zip(found, tried, strict=True)
            ]
        return found
