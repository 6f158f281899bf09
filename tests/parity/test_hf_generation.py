"""Models that transformers runs for us write what transformers' own generate writes, and score what its logits say."""

import json
from pathlib import Path

import pytest
import torch

from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.hf import HfLM
from dragoman.nn.tokenizer import Tokenizer
from tests.models.tiny_hf import KINDS, hf_folder

TEXTS = ("the hill", "hello in there, all of you", "a")


@pytest.fixture(scope="module", params=list(KINDS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hf_folder(request.param, tmp_path_factory.mktemp(request.param))


def theirs(folder: Path):  # type: ignore[no-untyped-def]
    """The same folder, opened by transformers."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder)
    opener = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    return opener.from_pretrained(folder, attn_implementation="eager").eval()


def prompt(text: str) -> list[Message]:
    return [Message("user", text)]


def written(net, ids: list[int], tokens: int) -> list[int]:  # type: ignore[no-untyped-def]
    """What transformers' greedy search writes for one prompt, without the end."""
    given = torch.tensor([ids])
    mask = torch.ones_like(given)
    found = net.generate(
        given, attention_mask=mask, max_new_tokens=tokens, do_sample=False, num_beams=1, pad_token_id=0
    )
    new = found[0, 1:] if net.config.is_encoder_decoder else found[0, len(ids) :]
    kept = new.tolist()
    return kept[: kept.index(2)] if 2 in kept else kept


def test_greedy_texts_are_those_of_generate(folder: Path) -> None:
    lm, net, tokenizer = HfLM(folder, device="cpu"), theirs(folder), Tokenizer(folder)
    said = lm.generate([prompt(text) for text in TEXTS], Sampling(max_tokens=8, logprobs=1))
    for text, one in zip(TEXTS, said, strict=True):
        expected = written(net, tokenizer.start(text), 8)
        assert [token.id for token in one.logprobs] == expected
        assert one.text == tokenizer.decode(expected)
        assert one.tokens == min(len(expected) + 1, 8)  # the end is a token too
        assert one.finish == ("length" if len(expected) == 8 else "stop")
        assert "".join(lm.stream(prompt(text), Sampling(max_tokens=8))) == one.text


def test_scores_are_those_of_the_logits(folder: Path) -> None:
    lm, net, tokenizer = HfLM(folder, device="cpu"), theirs(folder), Tokenizer(folder)
    options = [" the", "n, all", "?"]
    scores = lm.score([prompt(text) for text in TEXTS], options)
    for row, text in enumerate(TEXTS):
        before = tokenizer.start(text)
        for column, option in enumerate(options):
            after = tokenizer.plain([option])[0]
            with torch.no_grad():
                if net.config.is_encoder_decoder:
                    start = torch.tensor([[net.config.decoder_start_token_id, *after[:-1]]])
                    logits = net(input_ids=torch.tensor([before]), decoder_input_ids=start).logits[0]
                else:
                    logits = net(torch.tensor([[*before, *after[:-1]]])).logits[0, len(before) - 1 :]
            expected = logits.double().log_softmax(-1).gather(1, torch.tensor(after)[:, None]).sum().item()
            assert scores[row, column] == pytest.approx(expected, abs=2e-4)


def test_a_drawn_text_does_not_depend_on_its_batch(folder: Path) -> None:
    lm = HfLM(folder, device="cpu")
    how = Sampling(temperature=1, top_p=0.9, seed=3, n=2, max_tokens=5)
    together = [one.text for one in lm.generate([prompt(text) for text in TEXTS], how)]
    alone = [one.text for text in TEXTS for one in lm.generate([prompt(text)], how)]
    assert together == alone


def test_stories260k(shared_data: Path) -> None:
    folder = shared_data / "models" / "stories260K"
    reference = json.loads((folder / "reference.json").read_text())
    lm = HfLM(folder, device="cpu")
    expected = reference["greedy_ids_from_bos"]
    asked = Sampling(max_tokens=len(expected) - 5, logprobs=1)
    [said] = lm.generate([prompt("Once upon a time")], asked)
    ids = Tokenizer(folder).start("Once upon a time") + [token.id for token in said.logprobs]
    assert ids == expected
    option = reference["scored_text"].removeprefix("Once upon a time")
    [[total]] = lm.score([prompt("Once upon a time")], [option])
    assert total == pytest.approx(sum(reference["token_logprobs"][4:]), abs=1e-4)  # they begin with the second token
