"""Reads rows of a data set from the Hugging Face hub, or from a folder laid out like one."""

from collections.abc import Iterator
from typing import Any

from dragoman.core.errors import UserError
from dragoman.data.parquet_rows import checked
from dragoman.data.problems import Place, Problem, Row

__all__ = ["hub_rows"]


def hub_rows(spec: str) -> Iterator[Row | Problem]:
    """Each row of `owner/name`, `owner/name:config` or `owner/name:config#split` (the split is train where not given).

    Integer classes that the set names become their names, also in lists. Raises UserError when the set, the
    configuration or the split is not there, or the library is not installed.
    """
    try:
        import datasets
    except ImportError:
        raise UserError(f"hf:{spec} needs the datasets library", 'pip install "dragoman[data]"') from None
    name, _, split = spec.partition("#")
    path, _, config = name.partition(":")
    split = split or "train"
    try:
        stream = datasets.load_dataset(path, config or None, split=split, streaming=True)
        # A list of classes, such as one tag a word, has them in the kind of its elements.
        kinds = {column: getattr(kind, "feature", kind) for column, kind in (stream.features or {}).items()}
        names = {column: kind.names for column, kind in kinds.items() if hasattr(kind, "names")}
        for number, values in enumerate(stream, start=1):
            yield checked(
                Place(f"hf:{spec}", number), {key: _named(value, names.get(key)) for key, value in values.items()}
            )
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "data.source=hf:owner/name:config#split names another, or data.source=PATH a file on this machine"
        raise UserError(f"hf:{spec} cannot be read: {reason}", hint) from error


def _named(value: Any, names: list[str] | None) -> Any:
    if names and isinstance(value, list):
        return [_named(one, names) for one in value]
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return value
