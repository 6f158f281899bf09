"""What a record holds of a policy that went too far and of a model that scores: every chart, alarms, answers, rules."""

import math
import random
from typing import Any

__all__ = ["aligned", "scored"]


def _gold(far: float) -> float:
    return 1.04 + far * (1.35 - 1.05 * math.log(max(far, 0.05)))


def _history(draw: random.Random) -> list[dict[str, Any]]:
    found = []
    for step in range(0, 201, 10):
        far = 3.4 * (1 - math.exp(-step / 90))
        found.append(
            {
                "step": step,
                "epoch": step / 25,
                "tokens": step * 1536,
                "loss": draw.gauss(0, 0.05),
                "reward": 0.28 + 1.05 * far + draw.gauss(0, 0.06),
                "gold": _gold(far) + draw.gauss(0, 0.05) if far else 1.04,
                "kl": far**2,
                "entropy": 2.3 * math.exp(-far / 3),
                "length": 24 + 6 * far + draw.gauss(0, 0.5),
                "distinct_2": 0.62 * math.exp(-((far / 2.6) ** 3)),
                "natural_loss": 1.904 + 0.05 * far**2,
            }
        )
    return found


def _best_of_n() -> list[dict[str, Any]]:
    golds = {1: 1.04, 2: 1.45, 4: 1.76, 8: 1.90, 16: 1.88, 64: 1.45, 256: 0.64}
    return [
        {"n": n, "kl": math.log(n) - (n - 1) / n, "reward": 0.28 + 1.2 * math.log(n) ** 0.7, "gold": gold}
        for n, gold in golds.items()
    ]


def aligned() -> dict[str, Any]:
    """A new copy: 21 measurements, the best of n, two alarms, a state that was gone back to, three answers."""
    said = "the reward rose from 1.69 to 2.02 while the second one fell from 2.4, its highest, at step 40, to 2.1"
    return {
        "history": _history(random.Random(3)),
        "alarms": [
            {"name": "reward-hacking", "step": 70, "said": said},
            {"name": "mode-collapse", "step": 130, "said": "of the pairs of tokens 62% were different and 23% are"},
        ],
        "best_of_n": _best_of_n(),
        "kept_step": 50,
        "stopped": "reward-hacking",
        "gain": {"value": 1.43, "low": 1.21, "high": 1.66, "n": 64},
        "samples": [
            {
                "prompt": "Once upon a time there was",
                "before": " a little girl called Lily. She liked to play outside in the <b>park</b>.",
                "after": " a happy, happy girl. She was so happy that everybody smiled and laughed with joy. " * 9,
                "reward_before": 0.31,
                "reward_after": 2.61,
            },
            {"prompt": "The dog", "before": " ran.", "after": " ran away.", "reward_before": 0.4, "reward_after": 0.1},
            {"prompt": "", "before": "one", "after": "two"},
        ],
    }


def _judged(accuracy: float, nll: float) -> dict[str, Any]:
    return {
        "accuracy": {"value": accuracy, "low": accuracy - 0.03, "high": accuracy + 0.03, "n": 500},
        "nll": {"value": nll, "low": nll - 0.02, "high": nll + 0.02, "n": 500},
    }


def scored() -> dict[str, Any]:
    """A new copy: a model that scores, better than the rules beside it and too sure."""
    return {
        **_judged(0.712, 0.561),
        "slope": 0.52,
        "pairs": 500,
        "mean": 1.31,
        "scale": 2.07,
        "reference": 2000,
        "too_long": 12,
        "baselines": {"linear": _judged(0.631, 0.649), "longer": _judged(0.58, 0.68), "shorter": _judged(0.42, 0.69)},
    }
