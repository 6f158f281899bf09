"""A folder of ours is learnt from by transformers' Trainer and used by its pipelines, and what it saves opens here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.nn.headed import load_extractor, load_tagger, save_extractor, save_tagger
from dragoman.nn.store import load_classifier, load_lm
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.tiny import classifier_folder, extractor, tagger, tokenizer
from tests.nn.tiny_lm import folder_of

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.filterwarnings("ignore")

TEXT = "the red dog runs"


def tagger_folder(folder: Path) -> Path:
    save_tagger(tagger("bert"), tokenizer("bert", folder.with_name("tokens")), folder)
    return folder


def extractor_folder(folder: Path) -> Path:
    save_extractor(extractor("bert"), tokenizer("bert", folder.with_name("tokens")), folder)
    return folder


def classify(ids: list[int]) -> dict[str, Any]:
    return {"labels": 1}


def tag(ids: list[int]) -> dict[str, Any]:
    return {"labels": [1] * len(ids)}


def answer(ids: list[int]) -> dict[str, Any]:
    return {"start_positions": 1, "end_positions": 2}


def write(ids: list[int]) -> dict[str, Any]:
    return {"labels": list(ids)}


def classifiers(folder: Path) -> Path:
    return classifier_folder("bert", folder)


def decoders(folder: Path) -> Path:
    return folder_of("llama", folder)


def readers(folder: Path) -> Path:
    return folder_of("t5", folder)


KINDS: list[tuple[Callable[[Path], Path], str, Callable[[list[int]], dict[str, Any]], Callable[[Path], Any]]] = [
    (classifiers, "AutoModelForSequenceClassification", classify, load_classifier),
    (tagger_folder, "AutoModelForTokenClassification", tag, load_tagger),
    (extractor_folder, "AutoModelForQuestionAnswering", answer, load_extractor),
    (decoders, "AutoModelForCausalLM", write, load_lm),
    (readers, "AutoModelForSeq2SeqLM", write, load_lm),
]


@pytest.mark.parametrize(("make", "opens", "aim", "load"), KINDS, ids=[opens for _, opens, _, _ in KINDS])
def test_their_trainer_takes_a_step_from_our_folder_and_its_folder_opens_here(
    tmp_path: Path,
    make: Callable[[Path], Path],
    opens: str,
    aim: Callable[[list[int]], dict[str, Any]],
    load: Callable[[Path], Any],
) -> None:
    folder = make(tmp_path / "ours")
    words = transformers.AutoTokenizer.from_pretrained(folder)
    assert words(TEXT)["input_ids"] == list(Tokenizer(folder).encode([TEXT], 64)[0])
    model = getattr(transformers, opens).from_pretrained(folder)
    ids = words(TEXT)["input_ids"]
    rows = [{"input_ids": ids, "attention_mask": [1] * len(ids), **aim(ids)}] * 4
    said = {"use_cpu": True, "max_steps": 1, "report_to": [], "save_strategy": "no", "learning_rate": 0.01}
    arguments = transformers.TrainingArguments(output_dir=str(tmp_path / "out"), disable_tqdm=True, **said)
    trainer = transformers.Trainer(model, arguments, train_dataset=rows, processing_class=words)
    before, after = load(folder), tmp_path / "theirs"
    assert trainer.train().training_loss > 0
    trainer.save_model(str(after))
    learnt = load(after)
    moved = [not torch.equal(one, two) for one, two in zip(before.parameters(), learnt.parameters(), strict=True)]
    assert sum(moved) > len(moved) / 2
    assert Tokenizer(after).encode([TEXT], 64) == Tokenizer(folder).encode([TEXT], 64)
    ours = dict(learnt.named_parameters())
    theirs = sum(weight.numel() for weight in model.parameters())
    assert sum(weight.numel() for weight in ours.values()) == theirs


def test_their_pipelines_run_on_our_folders(tmp_path: Path) -> None:
    tags = transformers.pipeline("token-classification", model=str(tagger_folder(tmp_path / "tags")))
    for one in tags(TEXT):
        assert one["entity"] in ("O", "B-animal", "I-animal")
    folder = decoders(tmp_path / "words")
    writes = transformers.pipeline("text-generation", model=str(folder))
    [told] = writes(TEXT, max_new_tokens=3, do_sample=False, return_full_text=False)
    assert isinstance(told["generated_text"], str)
