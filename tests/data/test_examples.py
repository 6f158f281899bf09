"""The file of examples: what is written is read back exactly, what is damaged is refused with its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import UserError
from dragoman.core.types import Example, Message
from dragoman.data.examples import read_examples, write_examples

META = st.dictionaries(
    st.text(),
    st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)),
)
EXAMPLES = st.lists(
    st.builds(
        Example,
        prompt=st.lists(st.builds(Message, st.sampled_from(["user", "system"]), st.text())).map(tuple),
        answers=st.lists(st.text()).map(tuple),
        rejected=st.text(),
        meta=META,
    )
)


@given(EXAMPLES)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, examples: list[Example]) -> None:
    path = tmp_path_factory.mktemp("examples") / "a.jsonl"
    assert write_examples(path, examples) == len(examples)
    assert read_examples(path) == examples
    first = path.read_bytes()
    write_examples(path, read_examples(path))
    assert path.read_bytes() == first


def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_examples(path, [Example((Message("user", "a"),), ("b",))])
    with path.open("a") as file:
        file.write('{"answers": []}\n')
    with pytest.raises(UserError, match=r"a\.jsonl:2"):
        read_examples(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_examples(tmp_path / "none.jsonl")


def test_what_json_cannot_hold_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_examples(tmp_path / "a.jsonl", [Example((), (), meta={"score": float("nan")})])
