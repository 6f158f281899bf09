"""The state of a training run on disk: with it, a killed run ends bit for bit as one that was never stopped.

A version holds the weights that learn, AdamW's state, the random numbers' state, where the run stands, the answers that
a policy is learning from, and the caller's own notes; safetensors and JSON alone, published whole or not at all, found
again by step and checked byte by byte. Several processes write what each holds, and any number of them goes on from
there.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from dragoman.core import durable
from dragoman.core.config import dump
from dragoman.core.errors import UserError
from dragoman.train.finite import check_weights
from dragoman.train.loop import Training
from dragoman.train.pieces import opened, save_pieces
from dragoman.train.staging import place_of, publish, reachable

__all__ = [
    "KEEP",
    "bytes_needed",
    "identity",
    "load_weights",
    "newest",
    "read_notes",
    "restore",
    "save",
    "save_weights",
]

KEEP = 2
IGNORED = ("save_seconds", "save_share")


def save(folder: Path, training: Training, notes: Mapping[str, Any]) -> Path:
    """Publish the state as `step-000120` in `folder` and delete all but the newest two. `notes` must be JSON.

    Raises UserError when a weight is not finite, or the disk is full; what was saved before stands then as it was.
    """
    check_weights(training.net, f"nothing was saved at step {training.step}")

    def fill(stage: Path) -> None:
        save_pieces(stage, "weights", training.weights, training.world)
        save_pieces(stage, "optimizer", _optimiser(training), training.world)
        save_pieces(stage, "average", training.average, training.world)
        save_file(_random(training.kit.device), stage / "random.safetensors")
        if not training.world.first:
            return
        if hasattr(training.encoded, "state"):  # what was drawn with earlier weights, and is still being learnt from
            save_file(training.encoded.state(), stage / "round.safetensors")
        state = {
            "step": training.step,
            "steps": training.steps,
            "chain": training.chain,
            "skipped": training.skipped,
            "identity": identity(training),
            "machine": _machine(training),
            "notes": dict(notes),
        }
        (stage / "state.json").write_text(json.dumps(state, indent=1) + "\n")

    path = publish(training.world, folder / f"step-{training.step:06d}", fill, needed=bytes_needed(training))
    training.world.once(lambda: durable.retain(folder, "step", KEEP))
    training.kept = f"The state after step {training.step} is saved."
    return path


def read_notes(path: Path) -> dict[str, Any]:
    """The caller's notes in a checkpoint."""
    notes: dict[str, Any] = json.loads((path / "state.json").read_text())["notes"]
    return notes


def restore(path: Path, training: Training, said: Callable[[str], None]) -> None:
    """Put a run that has just begun where the checkpoint stands.

    Raises UserError with a list of the differences when the checkpoint belongs to other settings, examples or weights.
    """
    with reachable(training.world, path) as place:
        state = json.loads((place / "state.json").read_text())
        differences = _differences(state["identity"], identity(training))
        if differences:
            raise UserError(
                f"{path} was made with other settings: {'; '.join(differences)}",
                f"give the old settings back, or move {path.parent} away to begin anew",
            )
        if _differences(state["machine"], _machine(training)):
            changed = "; ".join(_differences(state["machine"], _machine(training)))
            said(f"this machine is not the one that began the run ({changed}): losses stay close, bits do not")
        _load_weights(place, path, training)
        _restore_optimiser(place, training)
        with opened(place, "average") as average, torch.no_grad():
            for name, value in training.average.items():
                average.copy(name, value)
        _restore_random(place, training)
        if hasattr(training.encoded, "restore"):
            training.encoded.restore(load_file(place / "round.safetensors"), training.kit.device)
    training.step, training.chain, training.skipped = state["step"], state["chain"], state["skipped"]
    training.kept = f"The state after step {training.step} is saved."


def newest(folder: Path, said: Callable[[str], None]) -> Path | None:
    """The newest undamaged checkpoint; damaged ones are set aside and `said` is told which, why, and what it costs."""
    last = durable.versions(folder, "step")
    found = durable.newest(folder, "step", said)
    if last and last[-1][1] != found:
        step = durable.versions(folder, "step")[-1][0] if found else 0
        said(f"{last[-1][0] - step} steps of training are lost and done again")
    return found


def save_weights(path: Path, training: Training, notes: Mapping[str, Any]) -> Path:
    """Publish the weights that learn alone, as a version of their own: the best ones so far."""
    check_weights(training.net, f"nothing was saved at step {training.step}")

    def fill(stage: Path) -> None:
        save_pieces(stage, "weights", training.weights, training.world)
        if training.world.first:
            (stage / "notes.json").write_text(json.dumps(dict(notes), indent=1) + "\n")

    return publish(training.world, path, fill, needed=bytes_needed(training) // 3)


def load_weights(path: Path, training: Training) -> None:
    """Put the weights of a version into the net. Raises UserError where they are not exactly those that learn."""
    with reachable(training.world, path) as place:
        _load_weights(place, path, training)


def _load_weights(place: Path, path: Path, training: Training) -> None:
    """As load_weights; `place` is where they are read, `path` what they are called."""
    weights = training.weights
    with opened(place, "weights") as saved:
        wrong = sorted(saved.shapes.keys() ^ weights.keys()) or [
            name for name, weight in weights.items() if saved.shapes[name] != tuple(weight.shape)
        ]
        if wrong:
            raise UserError(
                f"{path} does not fit this model: {wrong[0]} is not the same",
                f"move {path.parent} away to begin anew",
            )
        with torch.no_grad():
            for name, weight in weights.items():
                saved.copy(name, weight)
    training.working.spread()


def bytes_needed(training: Training) -> int:
    """The size of a checkpoint: each weight that learns, its average, and AdamW's two numbers for it, in fp32."""
    return sum(weight.numel() for weight in training.weights.values()) * 16 + 65536


def identity(training: Training) -> dict[str, Any]:
    """What must be the same for a checkpoint to be gone on with."""
    how = {name: value for name, value in dump(training.how).items() if name not in IGNORED}
    return {
        "train": how | {"precision": training.kit.precision},
        "objective": {"name": type(training.objective).__name__.lower(), **dump(training.objective)},
        "tuning": {"name": type(training.tuning).__name__.lower(), **dump(training.tuning)},
        "labels": list(getattr(training.net, "labels", ())),
        "tokenizer": _specials(training.kit.tokenizer),
        "examples": training.examples,
        "weights": training.start,
    }


def _specials(tokenizer: Any) -> dict[str, Any]:
    """The ids that an objective puts into texts of itself: the examples' own are in their digest."""
    found = {name: getattr(tokenizer, name, None) for name in ("size", "pad_id", "bos_id", "eos_ids", "mask_id")}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in found.items()}


def _machine(training: Training) -> dict[str, Any]:
    device = training.kit.device
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else torch.backends.cpu.get_cpu_capability()
    threads, processes = torch.get_num_threads(), training.world.size
    return {"torch": torch.__version__, "device": name, "threads": threads, "processes": processes}


def _differences(old: Any, new: Any, where: str = "") -> list[str]:
    """What differs between two tables, one phrase a setting."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        found = [_differences(old.get(name), new.get(name), f"{where}.{name}" if where else name) for name in names]
        return [phrase for phrases in found for phrase in phrases]
    if json.loads(json.dumps(old)) == json.loads(json.dumps(new)):
        return []
    told = [str(value) if len(str(value)) < 32 else f"{str(value)[:8]}..." for value in (old, new)]
    return [f"{where} was {told[0]} and is {told[1]}"]


def _optimiser(training: Training) -> dict[str, Tensor]:
    """The optimisers' tensors as `exp_avg/NAME`; a weight whose time has not come yet has none."""
    found = {}
    for optimiser in training.optimisers:
        for name, weight in training.weights.items():
            for key, value in optimiser.state.get(weight, {}).items():
                found[f"{key}/{name}"] = value
    return found


def _restore_optimiser(path: Path, training: Training) -> None:
    weights = training.weights
    owners = {weight: one for one in training.optimisers for group in one.param_groups for weight in group["params"]}
    for optimiser in training.optimisers:
        optimiser.state.clear()
    with opened(path, "optimizer") as saved:
        for key in saved.shapes:
            kind, _, name = key.partition("/")
            weight = weights[name]
            owners[weight].state[weight][kind] = saved.like(key, weight)


def _random(device: str) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _restore_random(path: Path, training: Training) -> None:
    """Each process's own random numbers; one that there was not goes on with those of its beginning."""
    file, device = place_of(path, training.world.rank) / "random.safetensors", training.kit.device
    if not file.exists():
        return
    with safe_open(file, framework="pt") as states:
        torch.set_rng_state(states.get_tensor("cpu"))
        if device.startswith("cuda") and "cuda" in states.keys():  # noqa: SIM118 - it is no mapping
            torch.cuda.set_rng_state(states.get_tensor("cuda"), device)
