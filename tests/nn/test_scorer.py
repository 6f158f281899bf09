"""A scorer of texts: the same numbers as transformers both ways, the last real token, and nothing lost in a folder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dragoman.core.errors import UserError
from dragoman.nn.decoder import Decoder
from dragoman.nn.encoder import fresh_encoder
from dragoman.nn.heads import Head, TokenHead
from dragoman.nn.padding import pad, pad_left
from dragoman.nn.scorer import Scorer, load_scorer, save_scorer
from dragoman.nn.store import load_encoder, load_lm
from dragoman.nn.tokenizer import Tokenizer
from tests.nn.tiny import ARCHES, FAMILIES, amplify, classifier_folder, encoder_folder, tokenizer
from tests.nn.tiny_lm import folder_of, tokens, writer

KINDS = (*FAMILIES, "llama", "gpt2")
DECODERS = ("llama", "gpt2", "window", "gemma3")
ROWS = ((2, 7, 9, 11, 30, 4), (2, 7, 4), (2, 40, 41, 8, 4), (2, 4, 4, 4, 4, 4, 4))
FRESH = ("head.out.bias", "head.out.weight")


def scorer(kind: str, seed: int = 0) -> Scorer:
    """A scorer with amplified weights, in eval."""
    if kind in FAMILIES:
        net = Scorer(fresh_encoder(ARCHES[kind]), Head(ARCHES[kind], 1))
    else:
        body = writer(kind)
        assert isinstance(body, Decoder)
        net = Scorer(body, TokenHead(body.arch, 1))
    amplify(net, seed)
    return net.eval()


def opened(kind: str, folder: Path) -> Tokenizer:
    """The tokenizer that goes with it."""
    return tokenizer(kind, folder) if kind in FAMILIES else tokens(kind, folder)


def saved(kind: str, folder: Path, net: Scorer | None = None) -> Path:
    """Its folder."""
    save_scorer(net or scorer(kind), opened(kind, folder.with_name(f"{folder.name}-tokens")), folder)
    return folder


def near(ours: Tensor, expected: Tensor) -> bool:
    """Whether two sets of scores are one model's."""
    return bool((ours - expected).abs().max() <= 1e-5 * expected.abs().max().clamp(min=1))


def held(net: Scorer) -> dict[str, Tensor]:
    """Its numbers."""
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def same(one: Scorer, other: Scorer) -> bool:
    """Whether every number is equal, bit for bit."""
    first, second = held(one), held(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", KINDS)
def test_their_scorer_opens_here_and_ours_there(kind: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    auto: Any = transformers.AutoModelForSequenceClassification
    theirs = auto.from_config(transformers.AutoConfig.from_pretrained(saved(kind, tmp_path / "shape"))).eval()
    assert theirs.config.num_labels == 1
    amplify(theirs, 5)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_scorer(tmp_path / "theirs")
    assert (ours.fresh, ours.unused, ours.training) == ((), (), False)
    ids, mask = pad(ROWS, theirs.config.pad_token_id)
    assert mask is not None
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask.long()).logits[:, 0]
        assert near(ours(ids, mask), expected)
    back, report = auto.from_pretrained(saved(kind, tmp_path / "ours", ours), output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert back.config.id2label == {0: "score"} and back.config.problem_type == "regression"
    with torch.no_grad():
        assert near(back.eval()(input_ids=ids, attention_mask=mask.long()).logits[:, 0], expected)


def test_a_decoder_that_was_normalised_is_apart_there_by_one_number(tmp_path: Path) -> None:
    """Transformers' decoders have no bias: what it is cancels in every comparison of two answers."""
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.set_verbosity_error()
    net = scorer("llama")
    net.normalise(3.0, 2.0)
    folder = saved("llama", tmp_path / "model", net)
    back = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids, mask = pad(ROWS, back.config.pad_token_id)
    assert mask is not None
    with torch.no_grad():
        theirs = back(input_ids=ids, attention_mask=mask.long()).logits[:, 0]
        assert near(theirs + net.head.out.bias, net(ids, mask))
        assert torch.equal(load_scorer(folder)(ids, mask), net(ids, mask))


@pytest.mark.parametrize("kind", [*FAMILIES, *DECODERS])
def test_a_folder_gives_back_every_bit(kind: str, tmp_path: Path) -> None:
    net = scorer(kind)
    again = load_scorer(saved(kind, tmp_path / "model", net))
    assert same(net, again) and again.fresh == again.unused == ()
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()} == {0o644}


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("fill", [pad, pad_left], ids=["right", "left"])
def test_the_last_real_token_is_read_on_whichever_side_padding_stands(kind: str, fill: Any) -> None:
    """Row 4 holds the token that fills many times: it is told by the mask, never by its number."""
    net = scorer(kind)
    with torch.no_grad():
        alone = torch.cat([net(torch.tensor([row])) for row in ROWS])
        assert near(net(*fill(ROWS, 4)), alone)
        by_hand = [net.head(net.body.states(torch.tensor([row]))[:, -1:])[0, 0] for row in ROWS]  # type: ignore[operator]
    assert near(torch.cat(by_hand), alone)


@pytest.mark.parametrize("kind", FAMILIES)
def test_an_encoder_never_reads_its_padding(kind: str) -> None:
    net = scorer(kind)
    with torch.no_grad():
        alone = torch.cat([net(torch.tensor([row])) for row in ROWS])
        assert near(net(*pad(ROWS, net.arch.pad_id)), alone)


def test_an_encoder_tells_two_texts_apart() -> None:
    net, ids = scorer("bert"), torch.tensor([[2, 7, 3, 9, 11, 3]])
    with torch.no_grad():
        assert not near(net(ids, None, torch.tensor([[0, 0, 0, 1, 1, 1]])), net(ids))


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_normalised_scores_have_the_mean_and_the_spread_that_was_asked(kind: str) -> None:
    net = scorer(kind)
    ids, mask = pad(ROWS, 0)
    with torch.no_grad():
        before = net(ids, mask)
        mean, spread = float(before.mean()), float(before.std(correction=0))
        net.normalise(mean, spread)
        after = net(ids, mask)
    assert float(after.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(after.std(correction=0)) == pytest.approx(1.0, abs=1e-5)
    assert near(after, (before - mean) / spread)
    for none in (0.0, float("nan")):
        with pytest.raises(ValueError, match="no spread"):
            net.normalise(0.0, none)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_model_without_a_head_takes_a_new_one_of_unit_size(kind: str, tmp_path: Path) -> None:
    folder = encoder_folder(kind, tmp_path / "m") if kind in FAMILIES else folder_of(kind, tmp_path / "m")
    net = load_scorer(folder, seed=3)
    assert net.fresh == (FRESH if kind != "bert" else ("head.dense.bias", "head.dense.weight", *FRESH))
    assert not net.head.out.bias.any()
    width = net.arch.width
    assert float(net.head.out.weight.detach().std()) == pytest.approx((width + 1) ** -0.5, rel=0.35)
    assert same(net, load_scorer(folder, seed=3)) and not same(net, load_scorer(folder, seed=4))
    plain = load_encoder(folder) if kind == "bert" else load_lm(folder)
    body = dict(net.body.named_parameters())
    assert all(torch.equal(body[name], weight) for name, weight in plain.named_parameters() if name in body)
    assert len(body) >= len(dict(plain.named_parameters())) - 1  # all but the prediction of words


def test_a_classifier_of_three_labels_keeps_its_dense_layer_alone(tmp_path: Path) -> None:
    net = load_scorer(classifier_folder("bert", tmp_path / "model"))
    assert net.fresh == FRESH and "classifier.weight" in net.unused


def test_a_token_that_ends_texts_is_not_the_one_that_fills(tmp_path: Path) -> None:
    """Transformers reads the last token that is not padding: where the end filled, it would read the one before."""
    place = tmp_path / "tokens"
    tokens("llama", place)
    settings = json.loads((place / "tokenizer_config.json").read_text())
    (place / "tokenizer_config.json").write_text(json.dumps({**settings, "pad_token": "</s>"}))
    words = Tokenizer(place)
    save_scorer(scorer("llama"), words, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["architectures"] == ["LlamaForSequenceClassification"]
    assert config["pad_token_id"] not in words.eos_ids
    assert Tokenizer(tmp_path / "model").pad_id not in words.eos_ids


def test_an_encoder_decoder_is_refused_and_a_wrapped_net_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="encoder-decoder") as caught:
        load_scorer(folder_of("t5", tmp_path / "t5"))
    assert "models.candidates" in caught.value.hint
    net = scorer("bert")
    net.body.blocks[0].extra = torch.nn.Linear(2, 2)  # type: ignore[assignment]
    with pytest.raises(ValueError, match="merge the tuning"):
        save_scorer(net, tokenizer("bert", tmp_path / "tokens"), tmp_path / "model")
