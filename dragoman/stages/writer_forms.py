"""The forms of a model that writes, each asked the same prompts: trained, merged, saved, and base with adapter."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.app.steps.write import written
from dragoman.core.sampling import Sampling
from dragoman.core.types import Example
from dragoman.stages.assistants import MODEL
from dragoman.stages.check_tokens import compare_reading

if TYPE_CHECKING:
    from dragoman.nn.tokenizer import Tokenizer

__all__ = ["PROBE", "Probe", "gap_of", "parity_of"]

PROBE = 8  # prompts that every form of the model must answer with the same tokens
WRITTEN = 24  # tokens of each of these answers
PARITY = 1e-4  # logits of two forms of the same weights, over the largest, in fp32


@dataclass(frozen=True)
class Probe:
    """A few prompts that every form of a model must answer alike."""

    tokenizer: "Tokenizer"
    examples: Sequence[Example]

    def logits(self, net: Any) -> Any:
        """The logits behind the last token of each prompt, [prompts, vocabulary]."""
        import torch

        from dragoman.models.asked import Asking

        two = net.arch.kind == "encoder-decoder"
        asking = Asking(self.tokenizer, self.tokenizer.chat, two)
        found = []
        with torch.no_grad():
            for example in self.examples:
                ids = torch.tensor([asking.ids(example.prompt)[-net.arch.longest or None :]])  # [1, s]
                given = (ids, None, torch.tensor([[net.arch.start_id, *asking.lead]])) if two else (ids,)
                found.append(net(*given)[0, -1].float())  # [v]
        return torch.stack(found)

    def words(self, net: Any) -> list[str]:
        """What is answered to each prompt. The net is packed for answering, and can no longer learn or be saved."""
        from dragoman.models.local import LocalLM

        prompts = [example.prompt for example in self.examples]
        return [one.text for one in written(prompts, LocalLM(net, self.tokenizer), Sampling(max_tokens=WRITTEN))]


def parity_of(
    folder: Path, forms: dict[str, Any], words: list[str], probe: Probe, base: Path, thin: bool, whole: bool
) -> list[dict[str, Any]]:
    """Each form of the model in a run's folder against the trained one, in logits and in words, one at a time.

    `forms` are the logits of those that exist already, `words` what the model that was kept answers. A difference in
    logits, or a tokenizer that reads otherwise once it is opened again, is a bug and is not passed on.
    """
    from dragoman.nn.store import load_lm
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.train.adapter import read_adapter

    answers = {}
    if whole:
        saved: Any = load_lm(folder / MODEL)
        forms["saved"] = probe.logits(saved)
        answers["saved"] = probe.words(saved)
        del saved
    if thin:
        again: Any = load_lm(base)
        tuned = read_adapter(again, folder / ("adapter" if whole else MODEL))  # over the base as it was published
        forms["adapter"] = probe.logits(again.eval())
        answers["adapter"] = probe.words(tuned.merge(again) if whole else again)
    found = []
    (leader, first), *others = forms.items()
    for name, other in others:
        gap, same = gap_of(first, other), answers.get(name, words) == words
        found.append({"pair": f"{leader} = {name}", "difference": gap, "tolerance": PARITY, "same_answers": same})
        if gap > PARITY:
            raise RuntimeError(f"parity broke: {leader} and {name} differ by {gap:.2g} of the largest logit")
    wrong = compare_reading(probe.tokenizer, Tokenizer(folder / MODEL), probe.examples)
    if wrong:
        raise RuntimeError(f"parity broke: {wrong[0].name}: {wrong[0].message}")
    return found


def gap_of(one: Any, other: Any) -> float:
    """How far logits lie apart, over the largest."""
    return float((one - other).abs().max() / one.abs().max())
