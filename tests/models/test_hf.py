"""A model that transformers runs keeps every promise of the door, and a folder that is not good is one message."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dragoman.core.doors import LM
from dragoman.core.errors import UserError
from dragoman.core.sampling import Sampling
from dragoman.core.types import Message
from dragoman.models.hf import HfLM
from dragoman.nn.tokenizer import Tokenizer
from tests.models.tiny_hf import hf_folder


def prompt(text: str) -> list[Message]:
    return [Message("user", text)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hf_folder("gpt_neox", tmp_path_factory.mktemp("neox"))


@pytest.fixture(scope="module")
def lm(folder: Path) -> HfLM:
    return HfLM(folder, device="cpu")


def test_it_says_who_runs_it(lm: HfLM) -> None:
    assert isinstance(lm, LM)
    assert lm.note == "no family file for 'gpt_neox': run by transformers, slower"
    assert lm.chat is False


def test_stop_texts_are_never_shown(lm: HfLM) -> None:
    [whole] = lm.generate([prompt("the hill")], Sampling(max_tokens=12))
    cut = whole.text[4:6]
    how = Sampling(max_tokens=12, stop=(cut,))
    [said] = lm.generate([prompt("the hill")], how)
    assert said.text == whole.text[: whole.text.index(cut)]
    assert said.finish == "stop"
    assert "".join(lm.stream(prompt("the hill"), how)) == said.text


def test_the_end_of_the_context_is_the_end_of_the_answer(lm: HfLM) -> None:
    text = "a" * 60
    assert (lm.longest, len(lm.ids(prompt(text)))) == (64, 60)
    short, long = lm.generate([prompt("hello"), prompt(text)], Sampling(max_tokens=20, logit_bias={2: -100}))
    assert (long.tokens, long.finish, long.prompt_tokens) == (4, "length", 60)
    assert short.tokens == 20
    [alone] = lm.generate([prompt("hello")], Sampling(max_tokens=20, logit_bias={2: -100}))
    assert alone.text == short.text
    with pytest.raises(UserError, match="longer than the context"):
        lm.generate([prompt("a" * 64)], Sampling())
    with pytest.raises(UserError, match="prompt is empty"):
        lm.generate([prompt("")], Sampling())


def test_answers_keep_to_a_shape(lm: HfLM) -> None:
    how = Sampling(temperature=1, n=3, choices=("yes", "no"), max_tokens=9)
    assert {one.text for one in lm.generate([prompt("is it?")], how)} <= {"yes", "no"}
    [number] = lm.generate([prompt("how many?")], Sampling(regex="[0-9]{3}", max_tokens=9))
    assert (number.text.isdigit(), number.finish) == (True, "stop")


def test_log_probabilities_are_those_of_the_model(lm: HfLM) -> None:
    [one] = lm.generate([prompt("the hill")], Sampling(max_tokens=5, logprobs=3, repetition_penalty=1.5))
    assert len(one.logprobs) == one.tokens - (one.finish == "stop")  # the end is counted and not told
    assert all(len(token.top) == 3 and token.logprob <= token.top[0][1] <= 0 for token in one.logprobs)


def test_scores(lm: HfLM, folder: Path) -> None:
    options = [" the", "é?"]
    total = lm.score([prompt("hello"), prompt("in")], options)
    count = np.array([len(ids) for ids in Tokenizer(folder).plain(options)])
    assert total.shape == (2, 2)
    assert (total < 0).all()
    assert np.allclose(lm.score([prompt("hello"), prompt("in")], options, "token"), total / count)
    assert np.allclose(lm.score([prompt("hello"), prompt("in")], options, "byte"), total / np.array([4, 3]))
    assert lm.score([], options).shape == (0, 2)
    with pytest.raises(UserError, match="adds no token"):
        lm.score([prompt("a")], [""])
    with pytest.raises(UserError, match="longer than the context"):
        lm.score([prompt("a")], ["b" * 64])


def test_half_precision_says_nearly_the_same(lm: HfLM, folder: Path) -> None:
    half = HfLM(folder, device="cpu", precision="bf16")
    assert np.allclose(half.score([prompt("hello")], [" the"]), lm.score([prompt("hello")], [" the"]), atol=0.2)


def test_what_it_does_not_do(lm: HfLM, folder: Path) -> None:
    with pytest.raises(UserError, match="beams"):
        lm.generate([prompt("a")], Sampling(beams=2))
    with pytest.raises(UserError, match="streamed"):
        next(lm.stream(prompt("a"), Sampling(n=2, temperature=1)))
    with pytest.raises(UserError, match="int8"):
        HfLM(folder, precision="int8")


def changed(folder: Path, where: Path, **settings: object) -> Path:
    """A copy of a model folder with other words in its config.json."""
    shutil.copytree(folder, where)
    config = json.loads((where / "config.json").read_text()) | settings
    (where / "config.json").write_text(json.dumps(config))
    return where


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model_type": "nothing_known"}, "transformers cannot open"),
        ({"num_hidden_layers": 3}, "lacks 1"),
        ({"num_hidden_layers": 1}, "has, and the model does not"),
        ({"num_attention_heads": 0}, "transformers cannot open"),
        ({"hidden_size": "many"}, "transformers cannot open"),
        ({"hidden_act": ["gelu"]}, "transformers cannot open"),
        ({"hidden_size": 64}, "transformers cannot open"),
        ({"auto_map": {"AutoModelForCausalLM": "net.Net"}}, "code"),
        ({"architectures": ["GPTNeoXForSequenceClassification"]}, "does not write texts"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantised"),
    ],
)
def test_a_folder_that_is_not_good(folder: Path, tmp_path: Path, settings: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        HfLM(changed(folder, tmp_path / "m", **settings), device="cpu")


def test_a_package_that_an_architecture_needs_and_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    def missing(*words: object, **more: object) -> None:
        raise ImportError("this model needs nothing_known\nand more")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", missing)
    with pytest.raises(UserError, match=r"cannot open .*: this model needs nothing_known\Z"):
        HfLM(folder, device="cpu")


def test_a_tokenizer_that_is_too_large(folder: Path, tmp_path: Path) -> None:
    large = changed(folder, tmp_path / "large")
    words = json.loads((large / "tokenizer.json").read_text())
    words["model"]["vocab"]["zebra"] = 300
    (large / "tokenizer.json").write_text(json.dumps(words))
    with pytest.raises(UserError, match="knows token 300, but the model has embeddings for 300"):
        HfLM(large, device="cpu")


def test_weights_that_are_pickled_or_cut(folder: Path, tmp_path: Path) -> None:
    pickled = changed(folder, tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(UserError, match="pickled"):
        HfLM(pickled)
    cut = changed(folder, tmp_path / "cut")
    data = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(data[:-50])
    with pytest.raises(UserError, match="transformers cannot open"):
        HfLM(cut, device="cpu")


def test_importing_it_does_not_wait_for_transformers(root: Path) -> None:
    script = "import sys; import dragoman.models.hf; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == 0
