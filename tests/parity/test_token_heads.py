"""Taggers and extractors against transformers: same weights, same numbers, same answers, in both directions."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.open import open_extractor, open_tagger
from dragoman.nn.headed import load_extractor, load_tagger, save_extractor, save_tagger
from dragoman.nn.padding import pad
from dragoman.nn.questions import Pairing, read_passages
from dragoman.nn.words import read_words, words_of
from tests.nn.tiny import ARCHES, FAMILIES, amplify, extractor, tagger, tokenizer

transformers = pytest.importorskip("transformers")

TAGS = ("O", "B-animal", "I-animal")
TOLERANCE = 1e-5
ROWS = ((2, 7, 9, 11, 30, 3), (2, 7, 3), (2, 40, 41, 8, 3))
TEXTS = ["the cat sat on the mat", "a dog ran", "cats running fast! the dog sat."]
CONTEXT, QUESTION = "the dog ran fast. a cat sat on the mat", "the cat sat on"


@pytest.fixture(autouse=True)
def quiet() -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def near(ours: Tensor, expected: Tensor) -> bool:
    """Whether two sets of logits are one model's."""
    return bool((ours - expected).abs().max() <= TOLERANCE * expected.abs().max())


def published(family: str, kind: Any, tmp_path: Path) -> Any:
    """A net of transformers of that family and size, with amplified weights, saved in a folder."""
    save_tagger(tagger(family), tokenizer(family, tmp_path / "tokens"), tmp_path / "shape")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "shape")
    net = kind.from_config(config).eval()
    amplify(net, 5)
    net.save_pretrained(tmp_path / "theirs")
    return net


@pytest.mark.parametrize("family", FAMILIES)
def test_their_tagger_opens_here_and_ours_there(family: str, tmp_path: Path) -> None:
    theirs = published(family, transformers.AutoModelForTokenClassification, tmp_path)
    ours = load_tagger(tmp_path / "theirs")
    ids, mask = pad(ROWS, ARCHES[family].pad_id)
    assert mask is not None
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask.long()).logits
        assert near(ours(ids, mask)[mask], expected[mask])
    assert (ours.labels, ours.fresh, ours.unused) == (TAGS, (), ())
    save_tagger(ours, tokenizer(family, tmp_path / "tokens"), tmp_path / "ours")
    back, report = transformers.AutoModelForTokenClassification.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert back.config.id2label == dict(enumerate(TAGS))
    with torch.no_grad():
        assert near(back.eval()(input_ids=ids, attention_mask=mask.long()).logits[mask], expected[mask])


@pytest.mark.parametrize("family", FAMILIES)
def test_their_extractor_opens_here_and_ours_there(family: str, tmp_path: Path) -> None:
    save_tagger(tagger(family, ("one", "two")), tokenizer(family, tmp_path / "tokens"), tmp_path / "shape")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "shape")
    theirs = transformers.AutoModelForQuestionAnswering.from_config(config).eval()
    amplify(theirs, 5)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_extractor(tmp_path / "theirs")
    assert (ours.fresh, ours.unused) == ((), ())
    tokens = tokenizer(family, tmp_path / "tokens")
    save_extractor(ours, tokens, tmp_path / "ours")
    back, report = transformers.AutoModelForQuestionAnswering.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    pairing = Pairing.of(tokens, ours.arch)
    ((passage,),) = read_passages(tokens, pairing, [(CONTEXT[:16], QUESTION[:7])], ours.arch.longest)
    joined = transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")
    asked = joined(QUESTION[:7], CONTEXT[:16], return_tensors="pt")
    assert asked["input_ids"][0].tolist() == list(passage.ids)
    ids = torch.tensor([passage.ids])
    with torch.no_grad():
        found = ours(ids, None, pairing.second(ids))
        for net in (theirs, back.eval()):
            said = net(**asked)
            assert near(found[:, :, 0], said.start_logits)
            assert near(found[:, :, 1], said.end_logits)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_the_pipeline_tags_as_we_do(family: str, tmp_path: Path) -> None:
    save_tagger(tagger(family), tokenizer(family, tmp_path / "tokens"), tmp_path / "model")
    ours = open_tagger(tmp_path / "model")
    pipe = transformers.pipeline("token-classification", model=str(tmp_path / "model"), ignore_labels=[])
    for text in TEXTS:
        said = {entity["index"]: entity["entity"] for entity in pipe(text)}
        ((reading,),) = read_words(tokenizer(family, tmp_path / "tokens"), [text], 99)
        tags = ours.generate([[Message("user", text)]], Sampling())[0].text.split(" ")
        assert len(tags) == len(words_of(text))
        assert tags == [said[place] for place in reading.places]


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_the_answer_is_that_of_their_logits(family: str, tmp_path: Path) -> None:
    """transformers 5 has no pipeline for questions: the best legal span of its logits is taken by hand."""
    save_extractor(extractor(family), tokenizer(family, tmp_path / "tokens"), tmp_path / "model")
    words = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    net = transformers.AutoModelForQuestionAnswering.from_pretrained(tmp_path / "model").eval()
    context = CONTEXT[:16] if family == "roberta" else CONTEXT  # a token a letter
    asked = words(QUESTION[:7], context, return_tensors="pt", return_offsets_mapping=True)
    spans, parts = asked.pop("offset_mapping")[0].tolist(), asked.sequence_ids()
    with torch.no_grad():
        said = net(**asked)
    places = [place for place, part in enumerate(parts) if part == 1]
    _, first, last = max(
        (float(said.start_logits[0, one] + said.end_logits[0, other]), one, other)
        for one in places
        for other in places
        if one <= other < one + 30
    )
    expected = context[spans[first][0] : spans[last][1]].strip()
    prompt = [Message("user", f"{context}\n\n{QUESTION[:7]}")]
    assert open_extractor(tmp_path / "model").generate([prompt], Sampling())[0].text == expected
