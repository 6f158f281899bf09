"""`dragoman vocab` trains a tokenizer, measures it on what it has not seen, and says what it costs where."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.errors import UserError
from dragoman.core.show import Show
from dragoman.nn.recipe import Training
from dragoman.nn.tokenizer import Tokenizer
from dragoman.stages import vocab
from dragoman.stages.texts import documents, held_out
from tests.nn.tiny import tokenizer

WORDS = ["harbour", "lantern", "winter", "copper", "meadow", "letter", "sudden", "gentle"]
PARAGRAPHS = [" ".join(WORDS[(row * step) % 8] for step in range(1, 9)) + f" {row}.\n\n" for row in range(120)]


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "text.txt"
    path.write_text("".join(PARAGRAPHS), encoding="utf-8")
    return path


def card(capsys: pytest.CaptureFixture[str], **given: Any) -> Any:
    capsys.readouterr()
    assert vocab.run(vocab.Settings(**given), (), Show(json=True)) == 0
    return json.loads(capsys.readouterr().out)


def test_a_tokenizer_is_trained_and_measured(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tokenizer("bert", text.parent / "bert")
    rows = [{"language": "one", "text": "harbour lantern"}, {"language": "two", "text": "漢字 かな"}]
    (text.parent / "languages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = card(
        capsys, source="text.txt", against="bert", languages="languages.jsonl", how=Training(size=400, chat=True)
    )
    assert told["trained_on"] + told["measured_on"] == 120 and told["measured_on"] > 0
    assert told["unknown_rate"] == 0.0 and told["bytes_per_token"]["value"] > 4
    assert told["against"]["size"] == other.size and told["against"]["tokens_ratio"]["value"] > 0
    assert list(told["languages"]) == ["one", "two"]
    assert told["languages"]["two"]["bytes_per_token"]["value"] == pytest.approx(1.0, abs=0.1)
    assert all("".join(sample) for sample in told["samples"])
    tokens = Tokenizer(text.parent / "vocab")
    assert tokens.size == told["size"] and tokens.chat
    stored = json.loads((text.parent / "vocab" / "card.json").read_text())
    assert {"folder": "vocab", **stored} == told


def test_the_same_texts_give_the_same_folder(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("bpe", "wordpiece", "unigram"):
        for out in ("a", "b"):
            card(capsys, source="text.txt", out=out, how=Training(kind=kind, size=300))
        for name in ("tokenizer.json", "card.json", "tokenizer_config.json", "special_tokens_map.json"):
            assert (text.parent / "a" / name).read_bytes() == (text.parent / "b" / name).read_bytes()


def test_the_card_for_a_person(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text.parent / "languages.jsonl").write_text('{"language": "Thai", "text": "ภาษาไทย ภาษาไทย"}\n')
    given = vocab.Settings(source="text.txt", languages="languages.jsonl", how=Training(kind="unigram", size=60))
    assert vocab.run(given, (), Show()) == 0
    shown = capsys.readouterr().out
    for part in ("bytes a token", "tokens a word", "kept out of training", "not read", "│"):
        assert part in shown


def test_a_folder_is_looked_at(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = tokenizer("bert", text.parent / "bert")
    alone = card(capsys, model="bert")
    assert (alone["size"], alone["measured_on"], alone["chat"]) == (tokens.size, 0, False)
    assert card(capsys, model="bert", source="text.txt")["measured_on"] == 120
    assert not (text.parent / "vocab").exists()


def test_two_folders_without_texts_show_both_sizes(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tokenizer("bert", text.parent / "bert"), tokenizer("roberta", text.parent / "roberta")
    told = card(capsys, model="bert", against="roberta")
    assert (told["size"], told["against"]) == (first.size, {"size": second.size})
    assert vocab.run(vocab.Settings(model="bert", against="roberta"), (), Show()) == 0
    shown = capsys.readouterr().out
    assert f"roberta, {second.size:,} tokens" in shown and "dragoman vocab SOURCE" in shown


def test_documents_keep_their_line_breaks(text: Path) -> None:
    texts, said = documents("text.txt", "", lambda done, told="": None)
    assert "".join(texts) == "".join(PARAGRAPHS) and len(texts) == 120 and said == []
    (text.parent / "rows.jsonl").write_text('{"text": "a b", "label": "x"}\n{"text": " ", "label": "y"}\n')
    assert documents("rows.jsonl", "label", lambda done, told="": None)[0] == ["x", "y"]
    assert documents("*.jsonl", "", lambda done, told="": None)[0] == ["a b"]


def test_what_is_kept_out() -> None:
    kept, out = held_out(PARAGRAPHS * 2, 0.2)
    assert not set(kept) & set(out) and len(kept) + len(out) == 240 and 20 < len(out) < 90
    assert held_out(["a", "a", "b"], 0.001)[0] in (["a", "a"], ["b"])
    assert held_out(["abcdefghij"], 0.2) == (["abcdefgh"], ["ij"])


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "no text is named"),
        ({"source": "nowhere.txt"}, r"there is no file nowhere\.txt"),
        ({"source": "empty.txt"}, "holds no text"),
        ({"source": "latin.txt"}, "is not UTF-8"),
        ({"source": "text.txt", "held_out": 1.5}, "held_out cannot be"),
        ({"source": "text.txt", "out": "full"}, "no tokenizer of dragoman vocab"),
        ({"source": "text.txt", "against": "nowhere"}, "no model 'nowhere'"),
        ({"source": "text.txt", "languages": "empty.txt"}, "no rows with language"),
        ({"source": "text.txt", "how": Training(kind="unigram", size=12)}, "cannot be trained"),
        ({"source": "packed.txt.gz"}, "cannot be read"),
    ],
)
def test_one_message_for_each_mistake(given: dict[str, Any], what: str, text: Path) -> None:
    (text.parent / "empty.txt").write_text("\n\n")
    (text.parent / "latin.txt").write_bytes("ein schöner Tag".encode("latin-1"))
    (text.parent / "packed.txt.gz").write_bytes(b"\x1f\x8b nothing")
    (text.parent / "full").mkdir()
    (text.parent / "full" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=what):
        vocab.run(vocab.Settings(**given), (), Show(json=True))
    assert not (text.parent / "vocab").exists()
