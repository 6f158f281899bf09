"""In which proportion tasks are mixed: by their examples up to a cap, evened out by a temperature."""

import math
from collections.abc import Sequence

from dragoman.core.errors import UserError

__all__ = ["mixed_rates"]


def mixed_rates(examples: Sequence[int], cap: int, temperature: float = 1.0) -> tuple[float, ...]:
    """The share of each task: r = min(examples, cap) over their sum, then r^(1 / temperature) over theirs.

    1 is in proportion (T5, Raffel et al. 2020, which bounded it at 2^16 to 2^21 examples; FLAN, Wei et al. 2021, at
    3,000); the higher, the more alike the tasks are, and infinity makes them equal. Raises UserError out of range.
    """
    if cap < 1:
        raise UserError(f"a cap of {cap} examples leaves nothing to mix", "FLAN's is usual: objective.cap=3000")
    if not temperature > 0:
        raise UserError(f"temperature cannot be {temperature}", "1 mixes in proportion: objective.temperature=1")
    logs = [math.log(min(count, cap)) for count in examples]
    powers = [math.exp((one - max(logs)) / temperature) for one in logs]
    total = math.fsum(powers)
    return tuple(power / total for power in powers)
