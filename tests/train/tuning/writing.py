"""What any tuning of a model that writes must hold: packed as alone, learning alone, resumed as whole."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.local import LocalLM
from dragoman.nn.decode import Decoding, read
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.graph import Graph
from dragoman.nn.store import load_lm
from dragoman.train import checkpoint
from dragoman.train.doors import Tuning
from dragoman.train.loop import Training, fit
from dragoman.train.objectives.clm import Clm
from dragoman.train.objectives.span import Span
from dragoman.train.trial import Trial, begun, one_thread
from tests.nn.tiny_lm import ENDS, SOURCES, drawn, folder_of, greedy, tokens

__all__ = ["answers_anew", "learn_a_little", "reads_alone", "resumed", "started"]

TEXTS = ("the hill", "a tin in the tin", "hello", "all of it, and then some more")
_IDS = torch.tensor([[5, 9, 30, 3, 77, 120, 4, 8, 9], [60, 61, 7, 3, 1, 88, 200, 12, 40]])
_SEGMENTS = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 2, 2, -1]])


@torch.no_grad()
def reads_alone(net: Any) -> None:
    """Every text of a packed or padded row says what it says alone."""
    if isinstance(net, EncoderDecoder):
        targets, owners = torch.tensor([[0, 8, 9, 0, 11, 12]]), torch.tensor([[0, 0, 0, 1, 1, 1]])
        packed = net(_IDS[:1], None, targets, None, _SEGMENTS[:1], owners)[0]
        first = net(_IDS[:1, :3], None, targets[:, :3])[0]
        second = net(_IDS[:1, 3:], None, targets[:, 3:])[0]
        assert torch.allclose(packed, torch.cat((first, second)), atol=2e-5)
        mask = torch.tensor([[True] * 9, [True] * 5 + [False] * 4])
        padded = net(_IDS, mask, targets.expand(2, -1))
        assert torch.allclose(padded[1], net(_IDS[1:, :5], None, targets)[0], atol=2e-5)
        return
    packed = net(_IDS, segments=_SEGMENTS)
    for row in range(2):
        for number in range(int(_SEGMENTS[row].max()) + 1):
            mine = _SEGMENTS[row] == number
            assert torch.allclose(packed[row, mine], net(_IDS[row : row + 1, mine])[0], atol=2e-5)
    left = torch.tensor([[True] * 9, [False] * 4 + [True] * 5])
    assert torch.allclose(net(_IDS, left)[1, 4:], net(_IDS[1:, 4:])[0], atol=2e-5)
    assert torch.allclose(net(_IDS, left.flip(1))[1, :5], net(_IDS[1:, :5])[0], atol=2e-5)


def answers_anew(tuning: Tuning, name: str, folder: Path) -> None:
    """What is written in a batch, behind a cache, is what reading the whole text anew for every token gives."""
    base = folder_of(name, folder / "model")
    net = tuning.apply(load_lm(base), 1)
    prompts, how = [ids[:9] for ids in SOURCES[:4]], Sampling(max_tokens=6)
    wanted = [greedy(net, prompt, 6) for prompt in prompts]
    assert drawn(Decoding(net, prompts, how, eos_ids=ENDS, pad_id=net.arch.pad_id)) == wanted
    assert wanted != [greedy(load_lm(base), prompt, 6) for prompt in prompts]  # type: ignore[arg-type]
    best = Sampling(max_tokens=6, n=2, temperature=1, top_k=1)
    twice = drawn(Decoding(net, prompts[:2], best, eos_ids=ENDS, pad_id=net.arch.pad_id))
    assert twice == [wanted[0], wanted[0], wanted[1], wanted[1]]
    reading = read(net, prompts[:2], 8, net.arch.pad_id)
    recorded = Graph(reading)  # as on a GPU: all places of the cache are given back, and a mask chooses
    ids = reading.logits.argmax(-1)
    assert recorded(ids).argmax(-1).tolist() == [one[1] if len(one) > 1 else one[0] for one in wanted[:2]]
    lm, longest = LocalLM(net, tokens(name, folder / "tokens")), load_lm(base).arch.longest
    asked = [[Message("user", text)] for text in TEXTS]
    together = lm.generate(asked, Sampling(max_tokens=8))
    assert [lm.generate([one], Sampling(max_tokens=8))[0].text for one in asked] == [one.text for one in together]
    assert "".join(lm.stream(asked[0], Sampling(max_tokens=8))) == together[0].text
    scores = lm.score(asked, ["he", " the"])
    assert np.allclose(scores[:1], lm.score(asked[:1], ["he", " the"]), atol=1e-5)
    assert lm.longest < longest


def started(tuning: Tuning, kind: str = "clm", precision: str = "fp32", rate: float = 0.1) -> Training:
    """A training on packed rows before its first step."""
    objective = Clm() if kind == "clm" else Span()
    changes = {"precision": precision, "steps": 12, "rate": rate, "average": 0.0, "warmup": 0.0}
    return begun(Trial("tried", objective, tuning, changes))


def learn_a_little(tuning: Tuning, kind: str, precision: str) -> tuple[list[float], set[str]]:
    """The losses of a dozen steps on packed rows, and which weights they moved."""
    with one_thread():
        training = started(tuning, kind, precision)
        before = {name: weight.detach().clone() for name, weight in training.net.named_parameters()}
        losses = [step.loss for step in fit(training)]
    after = dict(training.net.named_parameters())
    return losses, {name for name, weight in before.items() if not torch.equal(weight, after[name])}


def resumed(tuning: Tuning, folder: Path) -> None:
    """Five steps, a kill, and the rest give every bit that twelve steps give."""
    with one_thread():
        whole = started(tuning)
        list(fit(whole))
        half = started(tuning)
        for _ in zip(range(5), fit(half), strict=False):
            pass
        said: list[str] = []
        path = checkpoint.save(folder, half, {})
        again = started(tuning)
        checkpoint.restore(path, again, said.append)
        list(fit(again))
    assert said == []
    assert all(torch.equal(weight, whole.weights[name]) for name, weight in again.weights.items())
