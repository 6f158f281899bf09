"""The training loop: any objective with any tuning, one generator, one step at a time.

The caller logs, measures, saves and stops between two steps; nothing is called back. Weights are kept in fp32.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from dragoman.core.types import Example
from dragoman.nn.heads import Classifier
from dragoman.train.average import begin_average, follow
from dragoman.train.batching import chained, steps_an_epoch
from dragoman.train.doors import Batch, Encoded, How, Kit, Objective, Pace, Step, Tokens, Tuning, settle
from dragoman.train.finite import check_finite, check_weights, total_norm
from dragoman.train.modes import set_modes
from dragoman.train.optim import Group, group_weights, make_optimiser, scheduled, set_rates
from dragoman.train.precision import Working, choose_device, choose_precision, working_copy
from dragoman.train.rows import thin

__all__ = ["Training", "begin", "fit"]


@dataclass
class Training:
    """Everything that a training run is made of. `step` and `chain` say where it stands; `fit` moves them on."""

    net: Classifier
    "its weights are fp32; after each step they are up to date, whatever the precision"
    objective: Objective
    tuning: Tuning
    kit: Kit
    encoded: Encoded
    paces: Mapping[str, Pace]
    weights: Mapping[str, nn.Parameter]
    "those that learn at some time, by name"
    groups: Sequence[Group]
    optimiser: AdamW
    working: Working
    steps: int
    "how many steps the whole run has"
    start: str
    "SHA-256 over the weights it began with"
    average: Mapping[str, Tensor]
    "the running average of the weights that learn; empty where none is wanted"
    step: int = 0
    chain: str = ""
    kept: str = "nothing was saved before it."
    "what a message says about the last saved state"

    @property
    def how(self) -> How:
        """The settings in force, the tuning's own rate and epochs filled in."""
        return self.kit.how

    @property
    def steps_an_epoch(self) -> int:
        """How many steps see every example once."""
        return steps_an_epoch(len(self.encoded.names), self.how.batch)


def begin(
    net: Classifier, tokenizer: Tokens, objective: Objective, tuning: Tuning, examples: Sequence[Example], how: How
) -> Training:
    """A training run before its first step. `net` itself is what learns.

    Raises UserError where the examples, the tuning or the settings do not go with the net, or a weight is not finite.
    """
    how = settle(how, tuning)
    net.arch.require(how.max_length)
    device = choose_device(how.device)
    kit = Kit(how, tokenizer, device, choose_precision(how.precision, device))
    check_weights(net, "the model cannot be trained")
    start = _digest(net)
    encoded = objective.encode(net, examples, kit)
    net = tuning.apply(net, how.seed).to(device)
    thin(net, [tokenizer.pad_id, *(token for ids in encoded.ids for token in ids)])
    paces = tuning.paces(net)
    groups = group_weights(net, paces, how.decay)
    # A head alone is too small for bf16 to pay; its encoder's states are still computed in it.
    kit = replace(kit, learning=frozenset(paces))
    light = "fp32" if kit.encoder_frozen else kit.precision
    weights = {name: weight for name, weight in net.named_parameters() if name in paces}
    training = Training(
        net=net,
        objective=objective,
        tuning=tuning,
        kit=kit,
        encoded=encoded,
        paces=paces,
        weights=weights,
        groups=groups,
        optimiser=make_optimiser(net, groups, how),
        working=working_copy(net, light, tuple(paces)),
        steps=max(1, math.ceil(how.epochs * steps_an_epoch(len(encoded.names), how.batch) - 1e-9)),
        start=start,
        average=begin_average(weights, how.average),
    )
    torch.manual_seed(how.seed)
    return training


def fit(training: Training) -> Iterator[Step]:
    """Train from where the run stands to its end, one Step at a time; whoever takes the steps may stop at any of them.

    Raises UserError before the optimiser has moved anything where a loss, a gradient or a weight is not finite.
    """
    _open(training, begun=True)
    gradual = any(pace.opens > 0 for pace in training.paces.values())
    net, kit = training.working.net, training.kit
    for batches in training.objective.stream(net, training.encoded, kit, training.step):
        if training.step >= training.steps:
            return
        yield _advance(training, batches)
        if gradual:
            _open(training)


def _advance(training: Training, batches: Sequence[Batch]) -> Step:
    """One step of the optimiser: the gradient of all parts of the batch, checked, clipped, followed."""
    how, working = training.how, training.working
    weight = sum(batch.weight for batch in batches)
    working.clear()
    losses = []
    for position, batch in enumerate(batches):
        mean = training.objective.loss(working.net, batch, training.kit).total / weight
        mean.backward()  # type: ignore[no-untyped-call]
        working.gather(first=position == 0)
        losses.append(mean.detach())
    names = tuple(name for batch in batches for name in batch.names)
    loss, norm = _checked(training, losses, names)
    if how.clip and norm > how.clip:
        gradients = [moved.grad for moved in training.weights.values() if moved.grad is not None]
        torch._foreach_mul_(gradients, how.clip / norm)
    rate = scheduled(how, training.step, training.steps)
    set_rates(training.optimiser, list(training.groups), rate)
    training.optimiser.step()
    working.spread()
    training.step += 1
    follow(training.average, training.weights, how.average, training.step)
    training.chain = chained(training.chain, names)
    return Step(
        number=training.step,
        epoch=training.step / training.steps_an_epoch,
        loss=loss,
        norm=norm,
        rate=rate,
        examples=names,
        tokens=sum(batch.tokens for batch in batches),
        chain=training.chain,
    )


def _checked(training: Training, losses: list[Tensor], names: tuple[str, ...]) -> tuple[float, float]:
    """The loss and the length of the gradient, once these and the weights are known to be finite."""
    gradients = [weight.grad for weight in training.weights.values() if weight.grad is not None]
    weights = [weight.detach() for weight in training.weights.values() if weight.requires_grad]
    numbers = torch.stack(
        [
            torch.stack(losses).sum().float(),
            total_norm(gradients).to(losses[0].device, torch.float32),
            total_norm(weights).to(losses[0].device, torch.float32),
        ]
    )
    loss, norm, length = (float(number) for number in numbers.tolist())
    check_finite(training.net, loss, norm, length, training.step + 1, names, training.kept)
    return loss, norm


def _open(training: Training, begun: bool = False) -> None:
    """Let those weights learn whose time has come, and set dropout accordingly; AdamW keeps its state of the others."""
    epoch = training.step / training.steps_an_epoch
    changed = begun
    for name, weight in training.weights.items():
        wanted = training.paces[name].opens <= epoch
        changed = changed or wanted != weight.requires_grad
        weight.requires_grad_(wanted)
    if changed:
        training.working.spread()
        set_modes(training.working.net)


def _digest(net: Classifier) -> str:
    """SHA-256 over names, shapes and bytes of all weights."""
    whole = hashlib.sha256()
    for name, weight in net.named_parameters():
        whole.update(f"{name}{tuple(weight.shape)}".encode())
        whole.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()
