"""The sources: files, patterns, folders, standard input and the hub."""

import io
import json
from pathlib import Path

import pytest

from dragoman.core.errors import UserError
from dragoman.data.load import Loaded, load, require
from dragoman.data.problems import Problem, Row
from dragoman.data.read import scan
from tests.data.reading import GOOD


class TestSources:
    """Files, patterns, folders, standard input, the hub."""

    def names(self, source: str, root: Path) -> list[str]:
        return [item.place.file for item in scan(source, root=root) if isinstance(item, Row)]

    def test_a_pattern_and_a_folder_are_read_in_order(self, tmp_path: Path) -> None:
        (tmp_path / "d" / "deep").mkdir(parents=True)
        for name in ("d/b.jsonl", "d/a.jsonl", "d/deep/c.jsonl", "d/.hidden.jsonl"):
            (tmp_path / name).write_text('{"text": "x"}\n')
        (tmp_path / "d" / "README.md").write_text("words")
        assert self.names("d/*.jsonl", tmp_path) == ["d/a.jsonl", "d/b.jsonl"]
        assert self.names("d", tmp_path) == ["d/a.jsonl", "d/b.jsonl", "d/deep/c.jsonl"]
        passed = [item for item in scan("d", root=tmp_path) if isinstance(item, Problem)]
        assert [(item.name, item.place.file) for item in passed] == [("file-passed-over", "d/README.md")]

    def test_links_out_of_the_folder_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "secret.jsonl").write_text('{"text": "secret"}\n')
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "a.jsonl").write_text('{"text": "x"}\n')
        (tmp_path / "d" / "b.jsonl").symlink_to(tmp_path / "secret.jsonl")
        for source in ("d", "d/*.jsonl"):
            items = list(scan(source, root=tmp_path))
            assert [item.name for item in items if isinstance(item, Problem)] == ["link-out"]
            assert len([item for item in items if isinstance(item, Row)]) == 1

    def test_a_folder_with_a_training_and_a_test_set_is_refused(self, tmp_path: Path) -> None:
        for name in ("train.jsonl", "test.jsonl"):
            (tmp_path / name).write_text(GOOD)
        with pytest.raises(UserError, match="must stay apart"):
            list(scan(str(tmp_path)))

    def test_what_is_not_there_is_told_with_the_nearest_name(self, tmp_path: Path) -> None:
        (tmp_path / "train.jsonl").write_text(GOOD)
        with pytest.raises(UserError) as caught:
            list(scan("trian.jsonl", root=tmp_path))
        assert "did you mean 'train.jsonl'" in caught.value.hint
        for source in ("*.csv", "builtin:nothing", "", "-"):
            with pytest.raises(UserError):
                list(scan(source, root=tmp_path))

    @pytest.mark.parametrize(
        "content", [GOOD, json.dumps([json.loads(line) for line in GOOD.splitlines()]), "text,label\na sound row,yes\n"]
    )
    def test_standard_input(self, content: str) -> None:
        rows = [item for item in scan("-", stdin=io.BytesIO(content.encode())) if isinstance(item, Row)]
        assert rows[0].values == {"text": "a sound row", "label": "yes"}
        assert rows[0].place.file == "-"

    def test_lines_of_text_on_standard_input(self) -> None:
        rows = [item for item in scan("-", stdin=io.BytesIO(b"hello, you\nand you\n")) if isinstance(item, Row)]
        assert [row.values["text"] for row in rows] == ["hello, you", "and you"]

    def test_the_hub_on_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("datasets")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "train.jsonl").write_text(GOOD)
        loaded: Loaded = load("hf:set", root=tmp_path)
        require(loaded)
        assert [example.answers for example in loaded.examples] == [("yes",), ("no",)]
        with pytest.raises(UserError, match="cannot be read"):
            load("hf:set#nothing", root=tmp_path)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("x")
    with pytest.raises(UserError, match="no known format"):
        list(scan("a.xyz", root=tmp_path))
