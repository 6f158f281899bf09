"""From the probability of each label to an answer: the likeliest one, or all above a threshold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dragoman.core.types import Answer

__all__ = ["choose", "softmax"]


def choose(
    probabilities: NDArray[np.float64], labels: Sequence[str], multi_label: bool = False, threshold: float = 0.5
) -> Answer:
    """The answer behind probabilities of shape [labels]; of equal ones the first label wins."""
    scores = {label: float(value) for label, value in zip(labels, probabilities, strict=True)}
    if multi_label:
        held = tuple(label for label, value in scores.items() if value >= threshold)
        return Answer(", ".join(held), held, scores)
    best = labels[int(np.argmax(probabilities))]
    return Answer(best, (best,), scores)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares that sum to 1 along the last axis, computed without overflow."""
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return shares
