"""The training loop: any objective with any tuning, one generator, one step at a time.

The caller logs, measures, saves and stops between two steps; nothing is called back. Weights are kept in fp32.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dragoman.core.errors import UserError
from dragoman.train.average import begin_average, follow
from dragoman.train.batching import chained
from dragoman.train.doors import Feed, How, Kit, Objective, Pace, Piece, Step, Tuning, settle
from dragoman.train.finite import check_finite, check_weights, total_norm
from dragoman.train.modes import set_modes
from dragoman.train.optim import Group, group_weights, make_optimisers, set_rates
from dragoman.train.precision import Working, choose_device, choose_precision, working_copy
from dragoman.train.rows import thin
from dragoman.train.schedules import scheduled
from dragoman.train.world import World, alone

__all__ = ["Training", "begin", "fit"]


@dataclass
class Training:
    """Everything that a training run is made of. `step` and `chain` say where it stands; `fit` moves them on."""

    net: Any
    "its weights are fp32; after each step they are up to date, whatever the precision"
    objective: Objective
    tuning: Tuning
    kit: Kit
    encoded: Feed
    paces: Mapping[str, Pace]
    weights: Mapping[str, nn.Parameter]
    "those that learn at some time, by name"
    groups: Sequence[Group]
    optimisers: tuple[Optimizer, ...]
    working: Working
    steps: int
    "how many steps the whole run has"
    start: str
    "SHA-256 over the weights it began with"
    examples: str
    "SHA-256 over everything that is learnt, taken once: of 100,000 rows it takes seconds"
    average: Mapping[str, Tensor]
    "the running average of the weights that learn; empty where none is wanted"
    world: World
    "the processes that train together"
    hollow: Any = None
    "the net without its numbers, where several processes share it out"
    step: int = 0
    chain: str = ""
    skipped: int = 0
    "steps that were left out because something in them was not finite"
    kept: str = "nothing was saved before it."
    "what a message says about the last saved state"

    @property
    def how(self) -> How:
        """The settings in force, the tuning's own rate and epochs filled in."""
        return self.kit.how

    @property
    def still(self) -> bool:
        """Whether nothing is dropped while it learns: the objective compares the net with what it was."""
        return bool(getattr(self.objective, "still", False))

    @property
    def steps_an_epoch(self) -> int:
        """How many steps see every example once."""
        return self.encoded.steps_an_epoch(self.how.batch)


def begin(
    net: Any,
    tokenizer: Any,
    objective: Objective,
    tuning: Tuning,
    data: Any,
    how: How,
    world: World | None = None,
) -> Training:
    """A training run before its first step. `net` itself is what learns.

    Raises UserError where the data, the tuning or the settings do not go with the net, or a weight is not finite.
    """
    world = world or alone()
    kit = _kit(settle(how, tuning, objective), tokenizer, tuning, world)
    how, before = kit.how, _require_room(net, kit.how)
    check_weights(net, "the model cannot be trained")
    start = _digest(net)
    encoded = objective.encode(net, data, kit)
    examples = encoded.digest()
    world.agree("weights, texts and settings", f"{start} {examples} {how} {kit.precision}")
    net = tuning.apply(net, how.seed)
    _require_room(net, how, before)
    net = net if world.sharded else net.to(kit.device)  # parts are moved one by one
    if used := encoded.words():
        thin(net, [tokenizer.pad_id, *used])
    paces = dict(tuning.paces(net))
    if hasattr(objective, "extend"):  # parts that learn with the net and are not kept, such as a critic
        paces |= objective.extend(net)
    groups = group_weights(net, paces, how.decay, how.optimizer)
    kit = replace(kit, learning=frozenset(paces))
    # A head alone is too small for bf16 to pay; its encoder's states are still computed in it.
    light = "fp32" if kit.encoder_frozen else kit.precision
    hollow, net = world.hollow(net), world.shard(net, light)
    weights = {name: weight for name, weight in net.named_parameters() if name in paces}
    working = working_copy(net, "fp32" if world.sharded else light, tuple(paces))
    working.prepare(how.compile, how.recompute)
    training = Training(
        net=net,
        objective=objective,
        tuning=tuning,
        kit=kit,
        encoded=encoded,
        paces=paces,
        weights=weights,
        groups=groups,
        optimisers=make_optimisers(
            net, groups, how.rate, (how.beta1, how.beta2), how.epsilon, how.momentum, kit.precision
        ),
        working=working,
        steps=how.steps or max(1, math.ceil(how.epochs * encoded.steps_an_epoch(how.batch) - 1e-9)),
        start=start,
        examples=examples,
        average=begin_average(weights, how.average),
        world=world,
        hollow=hollow,
    )
    torch.manual_seed(how.seed + world.rank)  # dropout must not be the same on the rows of two processes
    return training


def fit(training: Training) -> Iterator[Step]:
    """Train from where the run stands to its end, one Step at a time; whoever takes the steps may stop at any of them.

    Raises UserError before the optimiser has moved anything where a loss, a gradient or a weight is not finite.
    """
    _open(training, begun=True)
    gradual = any(pace.opens > 0 for pace in training.paces.values())
    net, kit = training.working.net, training.kit
    steps = training.objective.stream(net, training.encoded, kit, training.step)
    while training.step < training.steps:  # asked before the next batches are made: a policy draws answers for them
        yield _advance(training, next(steps))
        if gradual:
            _open(training)


def _kit(how: How, tokenizer: Any, tuning: Tuning, world: World) -> Kit:
    """What an objective is given. Raises UserError where there are more processes than a step has examples."""
    if how.batch < world.size:
        raise UserError(f"{world.size} processes cannot share a batch of {how.batch}", f"say train.batch={world.size}")
    device = world.device or choose_device(how.device)
    precision, beside = choose_precision(how.precision, device), bool(getattr(tuning, "beside", False))
    return Kit(how, tokenizer, device, precision, rank=world.rank, ranks=world.size, beside=beside)


def _require_room(net: Any, how: How, before: int = 0) -> int:
    """The longest text that the net reads, which had positions for `before` until a tuning put something in front.

    Raises UserError where a text of max_length has no position to stand on.
    """
    room: int = net.arch.longest
    if how.max_length <= room:
        return room
    taken = f" behind the {before - room} places that the tuning takes" if before > room else ""
    raise UserError(
        f"max_length is {how.max_length} tokens, but this model has positions for {room}{taken}",
        f"read less: train.max_length={room}" + (", or take fewer: tuning.tokens=..." if taken else ""),
    )


def _advance(training: Training, batches: Sequence[Piece]) -> Step:
    """One step of the optimiser: the gradient of all parts of the batch, checked, clipped, followed."""
    how, working, world = training.how, training.working, training.world
    weight, tokens = world.total([sum(batch.weight for batch in batches), sum(batch.tokens for batch in batches)])
    working.clear()
    losses, told = [], dict[str, Tensor]()
    for position, batch in enumerate(batches):
        found = training.objective.loss(working.net, batch, training.kit)
        mean = found.total / (weight or 1.0)
        mean.backward()  # type: ignore[no-untyped-call]
        for name, figure in found.told.items():
            told[name] = told[name] + figure if name in told else figure
        working.gather(first=position == 0)
        losses.append(mean.detach())
    names = world.joined([name for batch in batches for name in batch.names])
    loss, norm, skipped = _checked(training, losses, names)
    rate = how.rate * scheduled(how.schedule, training.step, training.steps, how.warmup, how.cooldown, how.floor)
    if not skipped:
        if how.clip and norm > how.clip:
            gradients = [moved.grad for moved in training.weights.values() if moved.grad is not None]
            torch._foreach_mul_(gradients, how.clip / norm)
        set_rates(training.optimisers, training.groups, rate)
        for optimiser in training.optimisers:
            optimiser.step()
        working.spread()
        follow(training.average, training.weights, how.average, training.step + 1)
    training.step += 1
    training.skipped += skipped
    training.chain = chained(training.chain, names)
    return Step(
        number=training.step,
        epoch=training.step / training.steps_an_epoch,
        loss=loss,
        norm=norm,
        rate=rate,
        examples=names,
        tokens=int(tokens),
        chain=training.chain,
        skipped=skipped,
        figures=_figures(training, told, weight),
    )


def _figures(training: Training, told: Mapping[str, Tensor], weight: float) -> dict[str, float]:
    """The weighted means of what the objective told, over all processes."""
    if not told:
        return {}
    sums = torch.stack([figure.detach().float() for figure in told.values()]).tolist()
    return dict(zip(told, (one / (weight or 1.0) for one in training.world.total(sums)), strict=True))


def _checked(training: Training, losses: list[Tensor], names: tuple[str, ...]) -> tuple[float, float, bool]:
    """The loss and the length of the gradient once these and the weights are known to be finite, and whether they are
    not and the step is to be left out."""
    gradients = [weight.grad for weight in training.weights.values() if weight.grad is not None]
    weights = [weight.detach() for weight in training.weights.values() if weight.requires_grad]
    device = losses[0].device
    own = torch.stack(losses).sum().float()
    numbers = torch.stack(
        [training.world.summed(own), *(total_norm(some).to(device, torch.float32) for some in (gradients, weights))]
    )
    loss, norm, length = (float(number) for number in numbers.tolist())
    if training.how.on_nan == "skip" and math.isfinite(length) and not math.isfinite(loss + norm):
        return loss, norm, True
    check_finite(training.net, loss, norm, length, training.step + 1, names, training.kept)
    return loss, norm, False


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
        set_modes(training.working.net, training.still)


def _digest(net: nn.Module) -> str:
    """SHA-256 over names, shapes and bytes of all weights."""
    whole = hashlib.sha256()
    for name, weight in net.named_parameters():
        whole.update(f"{name}{tuple(weight.shape)}".encode())
        whole.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()
