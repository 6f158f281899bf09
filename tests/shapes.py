"""How types and shapes are checked while tests run: as mypy reads them, an int is welcome where a float is asked."""

from jaxtyping import install_import_hook

__all__ = ["SHAPED", "check_shapes"]

# Every module that writes shapes into its signatures (a house rule test holds the list). The settings of training do
# not: they name torch for the type checker alone, which a check at run time could not resolve.
SHAPED = (
    "dragoman.models.hf_net",
    "dragoman.nn",
    "dragoman.train.advantages",
    "dragoman.train.bottleneck",
    "dragoman.train.choices",
    "dragoman.train.cross_entropy",
    "dragoman.train.feedback",
    "dragoman.train.low_rank",
    "dragoman.train.muon",
    "dragoman.train.neftune",
    "dragoman.train.policy",
    "dragoman.train.prompts",
    "dragoman.train.quantised",
    "dragoman.train.rankings",
    "dragoman.train.rescaled",
    "dragoman.train.rollout",
    "dragoman.train.rows",
    "dragoman.train.states",
    "dragoman.train.token_batches",
    "dragoman.train.word_logs",
)
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"


def check_shapes() -> None:
    """From now on, calls into these modules are checked. Comes before their first import."""
    install_import_hook(SHAPED, CHECKER)
