"""How types and shapes are checked while tests run: as mypy reads them, so that an int is welcome where a float is asked."""

from beartype import BeartypeConf, beartype

__all__ = ["checked"]

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
