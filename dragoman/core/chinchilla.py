"""How large a model and how many tokens a budget of computing is best spent on, and what loss that should give.

L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, 2203.15556). Their figures were rounded and their fit had
stopped early (a mean of small losses where a sum was meant), so three sets of constants are in use. The one here is
that of Besiroglu et al. 2024 (2404.10102), who fitted the published runs anew.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = [
    "BESIROGLU",
    "FITTED",
    "HOFFMANN_ROUNDED",
    "HOFFMANN_TEX",
    "LAWS",
    "MOST_TOKENS_A_PARAMETER",
    "Law",
    "Optimum",
    "effective_tokens",
    "interval",
    "limited",
    "resampled",
    "warnings_of",
]

FITTED = (57e6, 16e9)
"parameters of the smallest and the largest run that the fit saw"
MOST_TOKENS_A_PARAMETER = 341
"the most tokens a parameter of any of these runs"
REPEATED = 15.387756
"after so many repetitions a token is worth nearly nothing new (Muennighoff et al. 2023, 2305.16264)"
EXCESS = 5.309743
"the same for parameters beyond those that the distinct tokens would fill"


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where a budget is best spent."""

    parameters: float
    tokens: float
    loss: float
    "nats a token, of the text and the tokenizer that the runs of the fit had"
    epochs: float = 1.0
    "how often each distinct token is read"

    @property
    def tokens_a_parameter(self) -> float:
        """D / N, the figure by which laws are compared."""
        return self.tokens / self.parameters


@dataclass(frozen=True, slots=True)
class Law:
    """The loss of a model of N parameters after D tokens: what no model can know, what a small one cannot, what few
    tokens do not show."""

    floor: float
    "E, the entropy of the text"
    a: float
    b: float
    alpha: float
    beta: float
    name: str = ""
    source: str = ""

    def loss(self, parameters: float, tokens: float) -> float:
        """Nats a token."""
        return float(self.floor + self.a / parameters**self.alpha + self.b / tokens**self.beta)

    def best(self, budget: float) -> Optimum:
        """The optimum of a budget of `budget` FLOPs at 6 a parameter and token, in closed form."""
        total = self.alpha + self.beta
        scale = (self.alpha * self.a / (self.beta * self.b)) ** (1 / total)
        parameters = scale * (budget / 6) ** (self.beta / total)
        tokens = budget / 6 / parameters
        return Optimum(parameters, tokens, self.loss(parameters, tokens))

    def parameters_for(self, tokens: float) -> float:
        """The parameters whose optimum has that many tokens."""
        return float((self.alpha * self.a / (self.beta * self.b) * tokens**self.beta) ** (1 / self.alpha))


HOFFMANN_ROUNDED = Law(
    *(1.69, 406.4, 410.7, 0.34, 0.28),
    "Hoffmann, as printed",
    "Hoffmann et al. 2022, equation 10: exponents to two digits, which alone moves the optimum by half",
)
HOFFMANN_TEX = Law(
    *(1.6934, 406.4, 410.7, 0.33917, 0.28491),
    "Hoffmann, all digits",
    "the digits in that paper's source: the minimiser had stopped early, and misses the runs it was fitted to",
)
BESIROGLU = Law(
    *(1.8172, 482.01, 2085.43, 0.3478, 0.3658),
    "Besiroglu, corrected",
    "Besiroglu et al. 2024: the same runs fitted to the end; standard errors .03, 124.6, 1293, .02, .02",
)
LAWS = (BESIROGLU, HOFFMANN_TEX, HOFFMANN_ROUNDED)


@cache
def resampled() -> tuple[Law, ...]:
    """Fits to runs drawn with replacement from the 240 that the corrected fit used: its uncertainty.

    The constants move together, so their errors cannot be taken one by one.
    """
    lines = files("dragoman.core").joinpath("chinchilla.csv").read_text(encoding="utf-8").split()[1:]
    found = []
    for line in lines:
        floor, a, b, alpha, beta = map(float, line.split(","))
        found.append(Law(floor, a, b, alpha, beta))
    return tuple(found)


def interval(values: Iterable[float], share: float = 0.95) -> tuple[float, float]:
    """The middle `share` of some values, between the ranks where it falls (Hyndman and Fan's type 7)."""
    ordered = sorted(values)

    def at(rank: float) -> float:
        low = math.floor(rank)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)

    edge = (1 - share) / 2 * (len(ordered) - 1)
    return at(edge), at(len(ordered) - 1 - edge)


def effective_tokens(distinct: float, tokens: float) -> float:
    """What reading `tokens` of which `distinct` differ is worth in fresh tokens (Muennighoff et al. 2023, equation 5).

    Four epochs are worth nearly four times the text; forty are worth hardly more than sixteen times it.
    """
    return _worn(distinct, tokens, REPEATED)


def _worn(first: float, whole: float, lasting: float) -> float:
    again = max(whole / first - 1, 0.0)
    return min(whole, first) + first * lasting * (1 - math.exp(-again / lasting))


def limited(law: Law, budget: float, distinct: float) -> Optimum:
    """The optimum of a budget where no more than `distinct` different tokens are at hand, so that they are repeated.

    Repeated tokens and parameters beyond what the text fills count less and less (Muennighoff et al. 2023), so the
    optimum is looked for on a grid of sizes, 1 % apart.
    """
    free = law.best(budget)
    if free.tokens <= distinct:
        return free
    filled = law.parameters_for(distinct)

    def at(parameters: float) -> Optimum:
        tokens = budget / 6 / parameters
        loss = law.loss(_worn(filled, parameters, EXCESS), effective_tokens(distinct, tokens))
        return Optimum(parameters, tokens, loss, max(tokens / distinct, 1.0))

    return min((at(free.parameters * 1.01**step) for step in range(-500, 501)), key=lambda one: one.loss)


def warnings_of(parameters: float, tokens: float) -> Sequence[str]:
    """What makes a prediction an extrapolation: a size or a share of tokens that no run of the fit had."""
    said = []
    if not FITTED[0] <= parameters <= FITTED[1]:
        said.append(f"{parameters:,.0f} parameters lie outside the 57 million to 16 billion that the law was fitted to")
    if tokens / parameters > MOST_TOKENS_A_PARAMETER:
        said.append(f"{tokens / parameters:,.0f} tokens a parameter are more than the {MOST_TOKENS_A_PARAMETER} it saw")
    return said
