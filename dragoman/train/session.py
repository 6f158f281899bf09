"""A whole training from the first step to the best weights: begun or gone on with, measured, saved, stopped early."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from dragoman.core import durable
from dragoman.core.errors import Stopped
from dragoman.core.gauge import Gauge
from dragoman.core.show import Tick, silent
from dragoman.core.sizing import peak_memory
from dragoman.nn.heads import Classifier
from dragoman.train import checkpoint
from dragoman.train.average import averaged
from dragoman.train.doors import How, Objective, Step, Tuning
from dragoman.train.failures import spoken_failures
from dragoman.train.loop import Training, begin, fit
from dragoman.train.modes import set_modes
from dragoman.train.rows import fold
from dragoman.train.states import remembering
from dragoman.train.stopping import Wish, catching
from dragoman.train.story import Story
from dragoman.train.watch import Watch
from dragoman.train.world import World, alone

__all__ = ["Effort", "Log", "Measure", "Outcome", "learn"]

Measure = Callable[[Any], Mapping[str, Any]]
"a figure by name; or a list of them, one a row of validation, for what compares rows"
Log = Callable[[Step], None]
POINTS = 500
SHOWN = ("reward", "kl", "length", "margin", "accuracy")  # on the line of progress, beside the loss


@dataclass(frozen=True, slots=True)
class Effort:
    """What a token costs and what the machine can do, both in floating-point operations; 0 where nobody knows."""

    flops_per_token: float = 0.0
    peak_flops: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of a training. `net` holds the best weights, not yet merged: `tuning.merge` makes it plain."""

    net: Any
    best: Mapping[str, float]
    "the figures of the best weights on validation"
    best_step: int
    steps: int
    "steps done"
    planned: int
    "steps planned; fewer were done where validation stopped getting better"
    history: tuple[Mapping[str, Any], ...]
    "each measurement: step, epoch, loss (the mean since the one before) and the figures"
    losses: tuple[float, ...]
    "the mean loss of each stretch of `stretch` steps"
    stretch: int
    chain: str
    "SHA-256 over the order of all examples learnt"
    seconds: float
    "of training and measuring, those before a kill included"
    tokens: int
    "tokens learnt from, padding left out"
    memory: int
    "bytes at the peak: of the process, or of the GPU"
    learnt: int
    "how many weights learnt"
    cut: int
    "examples that were longer than max_length, and shortened"
    dropped: int
    "examples that were left out"
    skipped: int
    "steps that were left out because something in them was not finite"
    speed: tuple[tuple[int, float, float], ...]
    """(step, tokens a second since the point before, learning rate) for each stretch; measuring and saving are left
    out, and the speed is 0 where nobody knows it"""
    saving: float
    "seconds that saving took"
    figures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    "what the objective told beside the loss: the mean of each figure over each stretch of steps"
    alarm: str = ""
    "why it was stopped before its end; empty where it was not, or only for want of progress"


@dataclass
class _Session:
    """A training in its folder, and its clock."""

    training: Training
    folder: Path
    wish: Wish
    story: Story
    gauge: Gauge
    clock: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    cost: float = 0.0
    "seconds that the last save took"
    shown: float = 0.0
    "when the progress was last told"

    @property
    def stopped(self) -> str:
        """What a person is told who asked to stop."""
        at = f"step {self.training.step} of {self.training.steps}"
        return f"stopped at {at}; everything is saved, and the same command goes on from here"

    @property
    def due(self) -> bool:
        """Whether it is time to save: as often as asked, but never for more than its share of the time."""
        how = self.training.how
        wait = max(how.save_seconds, self.cost * (1 / how.save_share - 1))
        return time.monotonic() - self.saved > wait

    def shows(self, last: bool) -> bool:
        """Whether it is time to tell the progress again: ten times a second, since it costs 0.2 ms, and at the end."""
        now = time.monotonic()
        if not last and now - self.shown < 0.1:
            return False
        self.shown = now
        return True

    def keep_best(self) -> None:
        """Publish the weights as they are, or their average, as the best so far."""
        begun = time.monotonic()
        path = self.folder / f"best-{self.training.step:06d}"
        with averaged(self.training.average, self.training.weights):
            checkpoint.save_weights(path, self.training, self.story.history[-1])
        self.story.saving += time.monotonic() - begun

    def save(self) -> None:
        """Publish the state, and keep the best weights that the kept states need."""
        now = time.monotonic()
        self.story.seconds += now - self.clock
        self.clock = now
        checkpoint.save(self.folder, self.training, asdict(self.story))
        self.training.world.once(lambda: durable.retain(self.folder, "best", checkpoint.KEEP))
        self.saved = time.monotonic()
        self.cost = self.saved - now
        self.story.saving += self.cost


def learn(
    net: Any,
    tokenizer: Any,
    objective: Objective,
    tuning: Tuning,
    data: Any,
    how: How,
    folder: Path,
    measure: Measure,
    watch: Watch,
    said: Callable[[str], None],
    progress: Tick = silent,
    effort: Effort | None = None,
    log: Log | None = None,
    world: World | None = None,
) -> Outcome:
    """Train `net` in `folder`: begin, or go on where a killed run was; return the weights that did best on validation.

    `measure` answers with figures of the net it is given, which it may only read. It is called every `how.every` epochs
    and at the end; the training stops early after `how.patience` measurements without a better one. `said` hears what a
    person should know, `progress` how far it is, `log` of each step. The same call after a kill at any instant ends
    with the same bits.

    Raises UserError for a mistake in what was given or a number that is not finite, Busy where another process trains
    here, and Stopped after SIGINT, SIGTERM or SIGHUP, when the state is saved and the same command goes on.

    In several processes each calls it with the same arguments. All measure; the first one's figures count, and it alone
    writes, speaks and ticks. A wish to stop at any of them stops all behind the step they are in. The outcome's net is
    whole in the first process and has no numbers in the others.
    """
    world = world or alone()
    said = said if world.first else _unheard
    with _claimed(folder, world), catching() as wish:
        training = begin(net, tokenizer, objective, tuning, data, how, world)
        world.once(lambda: durable.room(folder, 3 * checkpoint.bytes_needed(training)))
        _tell_lost(training, data, said)
        effort = effort or Effort()
        gauge = Gauge(training.steps, effort.flops_per_token, effort.peak_flops)
        session = _Session(training, folder, wish, _resume(folder, training, said), gauge)
        frozen = training.kit.encoder_frozen and isinstance(net, Classifier)
        with remembering(net.encoder) if frozen else contextlib.nullcontext():
            _train(session, measure, watch, progress, log)
        story = session.story
        checkpoint.load_weights(folder / f"best-{story.best_step:06d}", training)
    fold(training.net)
    if hasattr(objective, "withdraw"):
        objective.withdraw(training.net)
    return _outcome(training, story)


def _tell_lost(training: Training, data: Any, said: Callable[[str], None]) -> None:
    """Say of how many of the examples a part or all is not learnt; packed texts lose none."""
    cut, dropped, room = training.encoded.cut, training.encoded.dropped, training.how.max_length
    if cut:
        said(f"{cut} of {len(data)} examples are cut to {room} tokens")
    if dropped:
        said(
            f"{dropped} of {len(data)} examples are left out: their answers are blank, or they do not fit {room} tokens"
        )


@contextlib.contextmanager
def _claimed(folder: Path, world: World) -> Iterator[None]:
    """Hold the folder, by the lock of the first process."""
    with contextlib.ExitStack() as stack:
        world.once(lambda: stack.enter_context(durable.lock(folder)))
        yield


def _unheard(text: str) -> None:
    """What a process says that does not speak."""


def _resume(folder: Path, training: Training, said: Callable[[str], None]) -> Story:
    """Put the run where the newest checkpoint stands whose best weights are whole too; without one it is at step 0."""
    found = training.world.once(lambda: _newest(folder, said))
    if found is None:
        return Story()
    path, notes = found
    checkpoint.restore(Path(path), training, said)
    said(f"going on from step {training.step} of {training.steps}")
    return Story(**notes)


def _newest(folder: Path, said: Callable[[str], None]) -> tuple[str, dict[str, Any]] | None:
    """That checkpoint and its notes; what is damaged is set aside."""
    while (path := checkpoint.newest(folder, said)) is not None:
        notes = checkpoint.read_notes(path)
        story = Story(**notes)
        best = folder / f"best-{story.best_step:06d}"
        wrong = durable.problems(best) if story.history else []
        if not wrong:
            return str(path), notes
        if best.exists():
            durable.quarantine(best)
        said(f"{wrong[0]}: set aside with {durable.quarantine(path).name}, which needs it")
    return None


def _train(session: _Session, measure: Measure, watch: Watch, progress: Tick, log: Log | None) -> None:
    """Step, measure and save until the end, an early stop, or a wish to stop."""
    training, story = session.training, session.story
    stretch = _stretch(training)
    steps, begun = fit(training), False
    while True:
        if _due(training, watch) and not story.measured(training.step):
            figures = _figures(session, measure)
            story.note(figures, training)
            story.alarm = watch.alarm(story.history) if watch.alarm else ""
            better = not story.alarm and watch.better(figures, story.best)  # what rings is not gone back to
            story.alarm = story.alarm or watch.reached(figures)
            if better:
                story.crown(figures, training.step)
                session.keep_best()
            due = training.world.highest([training.world.first and session.due])[0]
            if better or due or story.alarm or training.step >= training.steps:
                session.save()
        if training.step >= training.steps or story.alarm or story.tired(training.how.patience):
            return
        started = time.monotonic()
        with spoken_failures():
            step = next(steps) if begun else _first(steps, session)
        spent = time.monotonic() - started
        story.add(step, stretch, spent if begun else 0.0)  # the first step of a process warms up, or compiles
        shown = training.world.first and session.shows(last=step.number == training.steps)
        held = _held(training) if shown else 0
        session.gauge.add(step.number, step.loss, step.tokens, held, spent if begun else None)
        begun = True
        if shown:
            progress(session.gauge.done, session.gauge.line(told=_shown(step.figures)))
        if log and training.world.first:
            log(step)
        asked, due = training.world.highest([session.wish.signal, training.world.first and session.due])
        if asked or due:
            session.save()
        if asked:
            raise Stopped(int(asked), session.stopped)


def _first(steps: Iterator[Step], session: _Session) -> Step:
    """The first step of this process, in which a frozen encoder may read all texts; a wish to stop is granted in it.

    What is on the disk is all that has been done so far, so nothing is lost.
    """
    try:
        with _interruptible(session):
            return next(steps)
    except Stopped as asked:
        raise Stopped(asked.signal, session.stopped) from None


def _figures(session: _Session, measure: Measure) -> dict[str, Any]:
    """The net measured: without dropout, without gradient, without touching the random numbers of the training.

    A wish to stop is granted in the middle of it, since nothing is half done: the step is measured on resuming.
    """
    training = session.training
    device = training.kit.device
    forked = torch.random.fork_rng([device] if device.startswith("cuda") else [])
    mean = averaged(training.average, training.weights)
    training.net.eval()
    try:
        # A wish is granted inside of all the others: leaving them puts weights and random numbers back, which nothing
        # may interrupt.
        with torch.no_grad(), forked, mean, spoken_failures():
            with _interruptible(session):
                figures = {name: _plain(value) for name, value in measure(training.net).items()}
            return dict(training.world.told(figures))
    except Stopped as asked:
        session.save()
        raise Stopped(asked.signal, session.stopped) from None
    finally:
        training.world.shed(training.net)
        set_modes(training.working.net, training.still)


def _plain(figure: Any) -> Any:
    """A figure, or a list of them, as JSON has it."""
    return [float(one) for one in figure] if isinstance(figure, list) else float(figure)


def _interruptible(session: _Session) -> contextlib.AbstractContextManager[None]:
    """Where a wish to stop is granted at once; not where other processes would wait for this one."""
    return contextlib.nullcontext() if session.training.world.sharded else session.wish.interruptible()


def _due(training: Training, watch: Watch) -> bool:
    """Whether the net is to be measured at the step where it stands: every so many epochs, and at the end."""
    if training.step == 0:
        return watch.opening
    span = training.how.every * training.steps_an_epoch
    passed = math.floor(training.step / span) > math.floor((training.step - 1) / span)
    return passed or training.step >= training.steps


def _shown(figures: Mapping[str, float]) -> str:
    """What an objective tells that a person wants to see go up or down."""
    return ", ".join(f"{name} {figures[name]:.3g}" for name in SHOWN if name in figures)


def _stretch(training: Training) -> int:
    """Of how many steps the losses are averaged, so that a long run keeps some hundreds of points."""
    return -(-training.steps // POINTS)


def _held(training: Training) -> int:
    """Bytes at the peak: of the process, or of the GPU."""
    if training.kit.device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(training.kit.device)
    return peak_memory()


def _outcome(training: Training, story: Story) -> Outcome:
    return Outcome(
        net=training.world.whole(training.net, training.hollow),
        best=story.best,
        best_step=story.best_step,
        steps=training.step,
        planned=training.steps,
        history=tuple(story.history),
        losses=tuple(story.losses),
        stretch=_stretch(training),
        chain=training.chain,
        seconds=story.seconds,
        tokens=story.tokens,
        memory=_held(training),
        learnt=sum(weight.numel() for weight in training.weights.values()),
        cut=training.encoded.cut,
        dropped=training.encoded.dropped,
        skipped=training.skipped,
        speed=tuple((int(step), speed, rate) for step, speed, rate in story.speed),
        saving=story.saving,
        figures={name: tuple(values) for name, values in story.figures.items()},
        alarm=story.alarm,
    )
