"""The trace of a text through each kind of model: plain values, true to what the model computes."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.nn.arch import Arch
from dragoman.nn.decoder import Decoder
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.encoder import Encoder
from dragoman.nn.masked import MaskedLM
from dragoman.nn.store import fresh_lm, load_lm
from dragoman.nn.tokenizer import Tokenizer
from dragoman.nn.trace import ROOM, most_tokens, trace, written_form
from dragoman.nn.trace_parts import trace_embeddings
from dragoman.report.explain import render
from tests.nn.tiny import ARCHES, amplify, tokenizer

BERT = ARCHES["bert"]
WRITES = replace(
    BERT, kind="decoder", norm_place="before", final_norm=True, embedding_norm=False, token_types=0, positions=300
)
BOTH = replace(WRITES, kind="encoder-decoder", decoder_layers=2, position="relative", norm="rms", start_id=0)
TEXT = "the cat sat on the mat"


def array(given: Any) -> Any:
    """The array again."""
    order = {"uint8": "<u1", "int32": "<i4", "float32": "<f4"}[given["kind"]]
    return np.frombuffer(base64.b64decode(given["data"]), order).reshape(given["shape"])


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """BERT's kind of tokenizer, over a few words; it has a [MASK]."""
    folder = tmp_path_factory.mktemp("words")
    tokenizer("bert", folder)
    named = json.loads((folder / "special_tokens_map.json").read_text())
    (folder / "special_tokens_map.json").write_text(json.dumps(named | {"mask_token": "[MASK]"}))
    return Tokenizer(folder)


@pytest.fixture(scope="module")
def stories(shared_data: Path) -> Path:
    """A real decoder of 260,000 parameters."""
    return shared_data / "models" / "stories260K"


KINDS = {
    "decoder": lambda: Decoder(WRITES),
    "rotary": lambda: Decoder(replace(WRITES, position="rotary", kv_heads=2)),
    "alibi": lambda: Decoder(replace(WRITES, position="alibi")),
    "sinusoidal": lambda: Decoder(replace(WRITES, position="sinusoidal")),
    "none": lambda: Decoder(replace(WRITES, position="none")),
    "encoder-decoder": lambda: EncoderDecoder(BOTH),
    "masked": lambda: MaskedLM(BERT),
    "encoder": lambda: Encoder(BERT),
}
KEYS = (
    *("schema", "title", "model", "kind", "family", "text", "facts", "sizes", "left_out", "names", "tokens"),
    *("targets", "embeddings", "positions", "attention", "lens", "next", "masked"),
)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_becomes_a_page(name: str, words: Tokenizer) -> None:
    torch.manual_seed(0)
    net = KINDS[name]()
    amplify(net)
    found = trace(net, words, TEXT, title="tiny", model="models/tiny")
    assert set(found) == set(KEYS)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    count = len(found["tokens"])
    shares = found["attention"]["self"]
    assert (shares["layers"], shares["heads"], shares["queries"], shares["keys"]) == (3, 4, count, count)
    sides = {"tokens": count, "targets": len(found["targets"])}
    named = {token["id"] for token in [*found["tokens"], *found["targets"]]}
    if found["lens"]:
        ids = array(found["lens"]["ids"])
        assert ids.shape[1:] == (sides[found["lens"]["of"]], 5)
        named |= set(ids.flatten().tolist())
    named |= {near[0] for row in found["embeddings"]["neighbours"] for near in row}
    assert all(str(number) in found["names"] for number in named)
    assert "tiny" in render(found)
    assert net.training  # as it was given


def test_logits_are_the_model_s_own(words: Tokenizer) -> None:
    net = Decoder(WRITES).eval()
    amplify(net)
    found = trace(net, words, TEXT)
    ids = torch.tensor([[token["id"] for token in found["tokens"]]])
    assert ids[0].tolist() == words.start(TEXT)
    with torch.no_grad():
        logits = net(ids)[0]
    assert np.abs(array(found["next"]["logits"]) - logits[-1].numpy()).max() < 1e-4
    assert array(found["lens"]["ids"])[-1, :, 0].tolist() == logits.argmax(-1).tolist()
    real = logits.softmax(-1)[:-1].gather(1, ids[0, 1:, None])[:, 0]
    assert np.abs(array(found["lens"]["real"])[-1, :-1] - real.numpy()).max() < 1e-5
    counts = {str(number): ids[0].tolist().count(number) for number in ids[0].tolist()}
    assert found["next"]["counts"] == counts


def test_a_mask_is_a_gap_and_nothing_else_is(words: Tokenizer) -> None:
    net = MaskedLM(BERT).eval()
    amplify(net)
    found = trace(net, words, "the [MASK] sat on [CLS] the [MASK].")
    ids = [token["id"] for token in found["tokens"]]
    assert [place for place, number in enumerate(ids) if number == words.mask_id] == [2, 11]
    assert ids.count(ids[0]) == 1  # the [CLS] that was typed is text
    assert [gap["position"] for gap in found["masked"]] == [2, 11]
    with torch.no_grad():
        chances = net(torch.tensor([ids]))[0].softmax(-1)
    for gap in found["masked"]:
        best = chances[gap["position"]].topk(10)
        assert [number for number, _ in gap["candidates"]] == best.indices.tolist()
        assert np.abs(np.array([share for _, share in gap["candidates"]]) - best.values.numpy()).max() < 1e-5


def test_a_decoder_reads_no_mask_and_no_control_token(words: Tokenizer) -> None:
    found = trace(Decoder(WRITES), words, "the [MASK] [SEP]")
    assert words.mask_id not in [token["id"] for token in found["tokens"]]
    assert [token["special"] for token in found["tokens"]].count(True) == 1  # the [CLS] in front


def test_an_encoder_decoder_writes_what_it_finds_best(words: Tokenizer) -> None:
    net = EncoderDecoder(BOTH).eval()
    amplify(net)
    free, told = trace(net, words, TEXT), trace(net, words, TEXT, answer="a dog ran")
    written = [token["id"] for token in free["targets"]]
    source = torch.tensor([[token["id"] for token in free["tokens"]]])
    with torch.no_grad():
        logits = net(source, None, torch.tensor([written]))[0]
    assert written[0] == 0
    assert logits[:-1].argmax(-1).tolist() == written[1:]
    assert [token["text"].strip() for token in told["targets"][1:]] == ["a", "dog", "ran"]
    cross = told["attention"]["cross"]
    assert (cross["layers"], cross["queries"], cross["keys"]) == (2, 4, len(told["tokens"]))
    assert told["next"]["after"] == told["lens"]["of"] == "targets"


def test_positions_are_those_of_the_model(words: Tokenizer) -> None:
    def values(net: Any) -> Any:
        return array(trace(net, words, TEXT)["positions"]["values"])

    learned = Decoder(WRITES)
    assert np.array_equal(values(learned)[:3], learned.embeddings.positions.table.weight[:3].detach().numpy())  # type: ignore[union-attr]
    rotary = values(Decoder(replace(WRITES, position="rotary")))
    assert np.allclose(rotary[1], 10_000.0 ** -(np.arange(8) / 8))
    assert np.allclose(rotary[5], 5 * rotary[1])
    alibi = values(Decoder(replace(WRITES, position="alibi")))  # slopes 1/4, 1/16, ...
    count = (alibi.shape[1] + 1) // 2
    assert np.allclose(alibi[:, count - 2], [-(4.0**-n) for n in range(1, 5)])
    both = EncoderDecoder(BOTH)
    relative = both.encoder.sights.relative
    assert relative is not None
    bias = relative(torch.arange(8), torch.arange(8))[0].detach().numpy()  # [h, q, k]
    found = values(both)
    assert np.allclose(found[:, 7 + 2], bias[:, 3, 5])
    assert np.allclose(found[:, 7 - 4], bias[:, 6, 2])


def test_a_long_text_is_cut_and_the_page_stays_small(words: Tokenizer) -> None:
    deep = replace(WRITES, layers=24, heads=16, vocabulary=30_000, positions=2_000)
    net = fresh_lm(deep)
    found = trace(net, words, "the cat sat. " * 200)
    count = len(found["tokens"])
    assert count == most_tokens(deep)
    assert found["left_out"] == 801 - count
    assert deep.layers * deep.heads * count * (count + 1) / 2 < 1.05 * ROOM
    assert len(render(found).encode()) < 5_000_000
    masked = trace(MaskedLM(BERT), words, "the cat sat. " * 200)
    assert len(masked["tokens"]) == BERT.longest == 40
    assert masked["tokens"][-1]["special"]  # the [SEP] stays


def test_a_real_model(stories: Path) -> None:
    net, tokens = load_lm(stories), Tokenizer(stories)
    reference = json.loads((stories / "reference.json").read_text())
    text = reference["scored_text"]
    found = trace(net, tokens, text)
    assert [token["id"] for token in found["tokens"]] == reference["scored_ids"]
    assert np.abs(array(found["next"]["logits"])[:10] - reference["last_logits_first10"]).max() < 1e-4
    real = np.log(array(found["lens"]["real"])[-1, :-1])
    assert np.abs(real - reference["token_logprobs"]).max() < 1e-4
    assert dict(found["facts"])["parameters"] == "260,032"
    assert "".join(token["text"] for token in found["tokens"][1:]).strip() == text


def test_parts_of_characters_are_shown_as_bytes(stories: Path) -> None:
    tokens = Tokenizer(stories)
    ids = tokens.plain(["☃"])[0]
    shown = [written_form(tokens, number) for number in ids]
    assert "⟨E2⟩" in shown
    assert written_form(tokens, 1) == "<s>"
    assert written_form(tokens, 511_000) == "#511000"


def test_nothing_to_read(words: Tokenizer) -> None:
    with pytest.raises(UserError, match="no text"):
        trace(Encoder(BERT), words, " ")


def test_a_very_wide_model_still_reads_some_words() -> None:
    wide = Arch("llama", 100, 128, 128, 128, 8, 4096, kind="decoder")
    assert most_tokens(wide) == 15
    assert most_tokens(replace(wide, layers=4, heads=4)) == 128


@pytest.mark.parametrize("name", KINDS)
def test_numbers_that_are_none_are_refused(name: str, words: Tokenizer) -> None:
    net = KINDS[name]()
    amplify(net)
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, torch.nn.Linear):
                part.weight.fill_(3e38)
    with pytest.raises(UserError, match="the model's numbers are not finite"):
        trace(net, words, TEXT)


def test_very_large_embeddings_are_still_a_picture() -> None:
    table = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
    near, far = trace_embeddings(table, [1, 2, 3]), trace_embeddings(table * 1e25, [1, 2, 3])
    assert near["variance"] == far["variance"]


def test_an_encoder_reads_once_and_its_decoder_remembers(words: Tokenizer) -> None:
    net = EncoderDecoder(BOTH).eval()
    amplify(net)
    read, written = [], []
    net.encoder.register_forward_hook(lambda *given: read.append(1))
    net.decoder.register_forward_hook(lambda module, args, out: written.append(args[0].shape[1]))
    found = trace(net, words, TEXT)
    assert len(read) == 1
    assert written == [1] * (len(written) - 1) + [len(found["targets"])]
