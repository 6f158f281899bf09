"""Dragoman's turns in benchmarks/pretraining.py: nanoGPT's settings in our loop, and the recipe that learns fastest."""

import copy
from dataclasses import dataclass, replace
from typing import Any

from benchmarks._race import LENGTH, Clock, parts, whole_loss

__all__ = ["Letters", "measured", "race", "recipe", "same_settings"]


@dataclass(frozen=True)
class Letters:
    """What training asks of a tokenizer, where every character is a token and none is special."""

    size: int = 65
    "how many there are"
    pad_id: int = 0
    bos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()


def same_settings(vocabulary: int = 65) -> tuple[Any, Any]:
    """nanoGPT's model and settings, as ours say them."""
    from dragoman.nn.arch import Arch
    from dragoman.train.doors import How

    arch = Arch(
        family="gpt2", kind="decoder", vocabulary=vocabulary, width=128, layers=4, heads=4, feed_forward=512,
        positions=LENGTH, attention_bias=False, output_bias=False, feed_forward_bias=False, norm_place="before",
        norm_eps=1e-5, final_norm=True, token_types=0, embedding_norm=False, activation="gelu", tied=True,
        dropout=0.0, attention_dropout=0.0,
    )  # fmt: skip
    how = How(
        steps=2000, rate=1e-3, batch=12, max_length=LENGTH, warmup=0.05, schedule="cosine", floor=0.1, decay=0.1,
        average=0.0, clip=1.0, beta1=0.9, beta2=0.99, precision="fp32", device="cpu",
    )  # fmt: skip
    return arch, how


def recipe(vocabulary: int = 65) -> tuple[Any, Any]:
    """Our recipe: the shape of Qwen3 at the peer's size, blocks that begin still, Muon at a high rate that ends at 0.

    What the loss of the whole validation part owes to each, after about 200 steps: a rate of 1e-2 and not 2e-2, 0.04,
    and not 6e-3, 0.003; blocks that begin by changing nothing, 0.01; two heads of 64 in the place of four of 32, 0.007;
    a warm-up of 2 % and not 5 %, 0.002; five turns of Muon's iteration in the place of three, 0.02. An average of the
    weights gives nothing where the rate falls to 0.
    """
    from dragoman.nn.arch import Arch, Rope
    from dragoman.train.doors import How

    arch = Arch(
        family="qwen3", kind="decoder", vocabulary=vocabulary, width=128, layers=4, heads=2, feed_forward=344,
        positions=LENGTH, attention_bias=False, output_bias=False, feed_forward_bias=False, norm="rms",
        norm_place="before", norm_eps=1e-6, final_norm=True, position="rotary", rope=Rope(10_000.0), head_norm=True,
        token_types=0, embedding_norm=False, activation="silu", gated=True, tied=False, dropout=0.0,
        attention_dropout=0.0,
    )  # fmt: skip
    how = How(
        steps=192, rate=1e-2, batch=16, max_length=LENGTH, optimizer="muon", warmup=0.02, schedule="linear",
        decay=0.0, average=0.0, clip=1.0, beta1=0.9, beta2=0.95, precision="bf16", device="cpu",
        compile=True,
    )  # fmt: skip
    return arch, how


def race(clock: Clock, shape: Any, how: Any, seed: int = 0) -> dict[str, Any]:
    """Train from nothing to the end and measure the whole validation part, both with the clock running.

    It is measured in bf16, as it was trained: 1.5 s less on one core, and within 0.001 of what float32 says.
    """
    import torch

    from dragoman.core.shards import Documents
    from dragoman.nn.fresh import fill
    from dragoman.nn.store import fresh_lm
    from dragoman.train.doors import OBJECTIVES, TUNINGS
    from dragoman.train.loop import begin, fit
    from dragoman.train.packing import Texts

    _, learnt, held = parts()
    texts = Texts((Documents.of("shakespeare", [learnt.tolist()], [len(learnt)]),))
    net = fresh_lm(shape, seed)
    fill(net, shape, seed, still=shape.family == "qwen3")
    objective, tuning = OBJECTIVES.make("clm", {}), TUNINGS.make("scratch", {})
    training = begin(net, Letters(), objective, tuning, texts, replace(how, seed=seed))
    steps = fit(training)
    next(steps)
    clock.stepped()
    # One row of an epoch holds the end of the text: what it is read with is not worth compiling for.
    with torch.compiler.set_stance("eager_on_recompile"):
        for _ in steps:
            pass
    with clock.measuring():
        light = measured(copy.deepcopy(net).bfloat16().eval(), held)
    clock.stop()
    loss = measured(net.eval(), held)  # in float32, as the peer's: the clock has stopped, and this is what counts
    weights = sum(weight.numel() for weight in net.parameters())
    return {"loss": loss, "light": light, "steps": training.steps, "weights": weights}


def measured(net: Any, part: Any) -> float:
    """The loss of a net on every character of a part."""
    from torch.nn import functional

    def mean(ids: Any, labels: Any) -> Any:
        return functional.cross_entropy(net(ids).flatten(0, 1).float(), labels.flatten())

    return whole_loss(mean, part)
