"""Rewards by name: a run's model, a folder's, a classifier's label or a rule, and what is said where there is none."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dragoman.core.doors import Reward
from dragoman.core.errors import UserError
from dragoman.core.runs import Run
from dragoman.core.types import Message
from dragoman.models.classifier import LocalClassifier
from dragoman.models.open import open_classifier
from dragoman.models.rewards import LabelReward, LocalScorer, Named, open_reward, open_scorer
from dragoman.nn.decoder import Decoder
from dragoman.nn.encoder import fresh_encoder
from dragoman.nn.heads import Head, TokenHead
from dragoman.nn.scorer import Scorer, save_scorer
from dragoman.nn.templates import TEMPLATES
from tests.nn.tiny import ARCHES, TEXTS, amplify, classifier, classifier_folder, encoder_folder, tokenizer
from tests.nn.tiny_lm import folder_of, tokens, writer

PROMPTS = [(Message("user", text),) for text in ("the mat", "", "a dog ran fast! the cat sat.", "the", "zzz")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scorers of two kinds, classifiers of two kinds, and what scores nothing."""
    folder = tmp_path_factory.mktemp("rewards")
    net: Any = Scorer(fresh_encoder(ARCHES["bert"]), Head(ARCHES["bert"], 1))
    save_scorer(amplify(net).eval(), tokenizer("bert", folder / "bert-tokens"), folder / "bert")
    body = writer("llama")
    assert isinstance(body, Decoder)
    net = Scorer(body, TokenHead(body.arch, 1))
    amplify(net)
    save_scorer(net.eval(), tokens("llama", folder / "llama-tokens", TEMPLATES["plain"]), folder / "llama")
    classifier_folder("bert", folder / "colours" / "model")
    classifier_folder("bert", folder / "several", multi_label=True)
    encoder_folder("bert", folder / "encoder")
    folder_of("llama", folder / "writer")
    return folder


@pytest.fixture
def runs(place: Path, tmp_path: Path) -> Path:
    """A runs folder with one run that scores."""
    run = Run.begin(tmp_path / "runs", "reward", {}, {"parts": "gone"})
    shutil.copytree(place / "bert", run.folder / "model")
    run.finish({})
    return tmp_path / "runs"


def refused(spec: Any, said: str, hinted: str, runs: Path | None = None) -> None:
    """One message with what to do."""
    with pytest.raises(UserError, match=said) as caught:
        open_reward(str(spec), runs=runs)
    assert hinted in caught.value.hint


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_a_folder_scores_each_answer_alone(place: Path, kind: str) -> None:
    reward = open_reward(str(place / kind), device="cpu")
    assert isinstance(reward, Reward)
    assert isinstance(reward, LocalScorer)
    together = reward.rate(PROMPTS, TEXTS)
    assert together.dtype == np.float64 and together.shape == (len(TEXTS),)
    alone = np.concatenate([reward.rate([prompt], [text]) for prompt, text in zip(PROMPTS, TEXTS, strict=True)])
    assert np.abs(together - alone).max() < 1e-5
    assert np.array_equal(reward.rate(PROMPTS[::-1], TEXTS[::-1])[::-1].round(5), together.round(5))
    assert len(set(together.round(3))) == len(TEXTS)
    assert reward.rate([], []).shape == (0,)
    other = reward.rate([(Message("user", "the dog"),)] * len(TEXTS), TEXTS)
    assert np.abs(other - together).max() > 1e-3  # the prompt is read too


def test_a_run_is_found_by_its_name_the_start_of_it_its_folder_and_its_model(place: Path, runs: Path) -> None:
    expected = open_reward(str(place / "bert"), device="cpu").rate(PROMPTS, TEXTS)
    [folder] = runs.iterdir()
    for spec in (folder.name, folder.name[:10], "reward", str(folder), str(folder / "model")):
        assert np.array_equal(open_reward(spec, device="cpu", runs=runs).rate(PROMPTS, TEXTS), expected)
    refused("rewart-12", "there is no run 'rewart-12'", "", runs)
    refused("rewart-12", "there is no model 'rewart-12'", "give a folder")


def test_a_label_is_worth_its_log_odds(place: Path) -> None:
    folder = place / "colours"
    logs = open_classifier(folder / "model", "cpu").score([[Message("user", text)] for text in TEXTS], ["green"])[:, 0]
    for spec in (f"label:{folder}#green", f"label:{folder / 'model'}#green"):
        found = open_reward(spec, device="cpu").rate(PROMPTS, TEXTS)
        assert np.abs(found - (logs - np.log(-np.expm1(logs)))).max() < 1e-4
    found = open_reward(f"label:{folder}#green", device="cpu").rate(PROMPTS, TEXTS)
    whole = open_reward(f"label+prompt:{folder}#green", device="cpu").rate(PROMPTS, TEXTS)
    joined = [f"{prompt[0].content}\n{text}" for prompt, text in zip(PROMPTS, TEXTS, strict=True)]
    assert np.abs(open_reward(f"label:{folder}#green", device="cpu").rate(PROMPTS, joined) - whole).max() < 1e-5
    assert np.abs(whole - found).max() > 1e-3


def test_a_classifier_that_knows_one_label_is_always_sure(tmp_path: Path) -> None:
    one = LocalClassifier(classifier("bert", ("red",)), tokenizer("bert", tmp_path))
    with pytest.raises(UserError, match="no label but 'red'") as caught:
        LabelReward(one, "red")
    assert "dragoman train" in caught.value.hint


def test_a_label_of_several_stands_for_itself(place: Path) -> None:
    net = open_classifier(place / "several", "cpu")
    chances = np.exp(net.score([[Message("user", text)] for text in TEXTS], ["red"])[:, 0])
    found = open_reward(f"label:{place / 'several'}#red", device="cpu").rate(PROMPTS, TEXTS)
    assert np.abs(found - np.log(chances / (1 - chances))).max() < 1e-4


def test_a_classifier_that_is_sure_still_tells_answers_apart(tmp_path: Path) -> None:
    """Where p is 1 in float64 its log-odds still grow: a policy would have nothing to climb."""
    net = classifier("bert")
    with torch.no_grad():
        net.head.out.weight.mul_(30)
    local = LocalClassifier(net, tokenizer("bert", tmp_path))
    found = [LabelReward(local, label).rate(PROMPTS, TEXTS) for label in local.labels]
    assert all(np.isfinite(one).all() and len(set(one.round(3))) >= 4 for one in found)
    assert max(float(one.max()) for one in found) > 37  # beyond which 1 - p is 0


@pytest.mark.parametrize(
    ("spec", "worth"),
    [("regex:^the", [1, 0, 0, 0, 0]), ("count:at", [3, 0, 2, 0, 0]), ("length:9", None)],
)
def test_rules_are_rewards_too(spec: str, worth: list[int] | None) -> None:
    reward = open_reward(spec)
    found = reward.rate(PROMPTS, TEXTS)
    assert isinstance(reward, Reward) and found.shape == (len(TEXTS),)
    assert worth is None or found.tolist() == worth


def test_what_is_no_reward_is_refused_with_what_to_do(place: Path, tmp_path: Path) -> None:
    train = "dragoman train objective=reward"
    refused(place / "colours", "holds no model that scores answers", train)
    refused(place / "encoder", "holds no model that scores answers", train)
    refused(place / "writer", "holds no model that scores answers", train)
    refused(tmp_path / "nothing", "there is no model", "give a folder")
    refused(f"label:{place / 'colours'}", "does not name a classifier and a label", "label:FOLDER#LABEL")
    refused("label:#red", "does not name a classifier and a label", "label:FOLDER#LABEL")
    refused(f"label:{place / 'colours'}#gren", "no label 'gren'", "green")
    refused(f"label:{place / 'bert'}#score", "predicts a number, not a label", "")
    refused(f"label:{place / 'encoder'}#red", "without a classifier", "dragoman train")
    refused(f"label:{place / 'llama'}#red", "llama is a decoder", "models.candidates")
    refused("regex:(", "cannot be used", "objective.reward=regex")
    refused("python:nowhere.py", "there is no nowhere.py", "def reward")


def test_a_long_answer_is_read_whole_as_far_as_there_are_positions(place: Path) -> None:
    scorer = open_scorer(place / "bert", "cpu")
    short = LocalScorer(scorer._net, tokenizer("bert", place / "again"), max_length=12)
    long, whole = "the cat sat on the mat a dog ran fast", scorer._replies
    [(none, least)] = whole.read([PROMPTS[0]], [long], 12)
    assert none is None and least == 13
    assert short.rate([PROMPTS[0]], [long])[0] == pytest.approx(scorer.rate([PROMPTS[0]], [long])[0], abs=1e-5)
    asked = (Message("user", "a dog ran " * 20),)
    [(cut, _)] = whole.read([asked], ["the cat"], 12)
    assert cut is not None and cut.cut and short.rate([asked], ["the cat"])[0] == short.score([cut.ids])[0]
    with pytest.raises(UserError, match="does not fit into the 40") as caught:
        short.rate([PROMPTS[0]], ["the cat " * 30])
    assert "dragoman train" in caught.value.hint
    with pytest.raises(UserError, match="positions"):
        LocalScorer(scorer._net, tokenizer("bert", place / "again"), max_length=99)


@pytest.mark.parametrize(
    "spec", ["label:a/b#c", "label+prompt:a#b#c", "regex:a:b#c", "count:x", "a/folder", "hf:a/b", "builtin:minilm"]
)
def test_a_name_is_its_parts(spec: str) -> None:
    assert str(Named.of(spec)) == spec


def test_a_remote_name_is_no_run(tmp_path: Path) -> None:
    assert Named.of("hf:a/b").folder(tmp_path) == "hf:a/b"
    assert Named.of("builtin:minilm").folder(tmp_path) == "builtin:minilm"


def test_bf16_is_near(place: Path) -> None:
    exact, half = (open_scorer(place / "bert", "cpu", how) for how in ("auto", "bf16"))  # type: ignore[arg-type]
    one, other = exact.rate(PROMPTS, TEXTS), half.rate(PROMPTS, TEXTS)
    assert 0 < np.abs(one - other).max() < 0.1 * np.abs(one).max()
