"""Every tuning on every net: nothing changes at the start, the base never, merged says the same, all is counted."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman.core.errors import UserError
from dragoman.train.adapter import read_adapter, write_adapter
from dragoman.train.anatomy import count_learning, describe_learning, fresh_parts
from dragoman.train.doors import TUNINGS
from dragoman.train.low_rank import LowRank
from dragoman.train.tuning.adapter import Adapter
from dragoman.train.tuning.bitfit import Bitfit
from dragoman.train.tuning.dora import Dora
from dragoman.train.tuning.head import Head
from dragoman.train.tuning.ia3 import Ia3
from dragoman.train.tuning.layers import Layers
from dragoman.train.tuning.lora import Lora
from tests.train.small import begun, steps
from tests.train.tunings import NETS, close, made, said, stirred

BESIDE: dict[str, Any] = {
    "lora": Lora(rank=2),
    "rslora": Lora(rank=3, alpha=5.0, stabilised=True, where=("query", "down")),
    "dora": Dora(rank=2),
    "ia3": Ia3(),
    "bitfit": Bitfit(),
    "adapter": Adapter(width=3),
}
WITHOUT_BIASES = ("llama", "t5")
PAIRS = [(name, net) for name in BESIDE for net in NETS if not (name == "bitfit" and net in WITHOUT_BIASES)]
MERGED = [pair for pair in PAIRS if pair[0] != "adapter"]


@pytest.mark.parametrize(("name", "net"), PAIRS)
def test_before_the_first_step_nothing_has_changed(name: str, net: str) -> None:
    before = said(made(net))
    tuned = BESIDE[name].apply(made(net), 0)
    assert torch.equal(said(tuned), before)
    assert 0 < count_learning(tuned) < sum(weight.numel() for weight in made(net).parameters())


@pytest.mark.parametrize(("name", "net"), [pair for pair in PAIRS if pair[1] in ("classifier", "llama", "gpt2", "t5")])
def test_the_base_stays_bit_for_bit_while_all_that_is_listed_learns(name: str, net: str) -> None:
    tuned = BESIDE[name].apply(made(net), 0)
    listed = [each for each, _ in describe_learning(tuned)]
    assert set(listed) == set(BESIDE[name].paces(tuned))
    before = {each: weight.detach().clone() for each, weight in tuned.named_parameters()}
    learning = dict(tuned.named_parameters())
    optimiser = torch.optim.AdamW([learning[each] for each in listed], lr=0.01)
    for _ in range(2):  # B is 0 at first: A moves at the second step
        ids = torch.arange(5, 29).view(4, 6)
        logits = tuned(ids, None, ids[:, :3]) if net in ("t5", "bart") else tuned(ids)
        (logits.square() * torch.linspace(0.1, 1, logits.shape[-1])).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    moved = {each for each, weight in tuned.named_parameters() if not torch.equal(weight, before[each])}
    assert moved <= set(listed)
    still = {each for each in set(listed) - moved if not each.endswith("key.bias")}  # a key's bias changes no share
    assert not still


@pytest.mark.parametrize(("name", "net"), MERGED)
def test_merged_it_says_the_same_and_nothing_is_left_beside(name: str, net: str) -> None:
    tuned = BESIDE[name].apply(made(net), 0)
    stirred(tuned)
    wrapped = said(tuned)
    assert not close(wrapped, said(made(net)), 1e-2)
    merged = BESIDE[name].merge(tuned)
    assert close(said(merged), wrapped)
    assert {each for each, _ in merged.named_parameters()} == {each for each, _ in made(net).named_parameters()}


def test_the_merge_is_made_from_the_untouched_base() -> None:
    """Twice merged is once merged and added: the base of the second is the merge of the first, in float64 each."""
    tuned = Lora(rank=2).apply(made("llama"), 0)
    stirred(tuned)
    kept = copy.deepcopy(tuned)
    Lora(rank=2).merge(tuned)
    name = "blocks.1.attention.query"
    layer = kept.get_submodule(name)
    assert isinstance(layer, LowRank)
    exact = layer.whole.weight.double() + layer.scale * layer.up.double() @ layer.down.double()
    assert torch.equal(tuned.get_parameter(f"{name}.weight"), exact.float())
    assert torch.equal(layer.whole.weight, made("llama").get_parameter(f"{name}.weight"))


def test_a_bottleneck_is_no_matrix() -> None:
    tuned = Adapter().apply(made("llama"), 0)
    stirred(tuned)
    wrapped = said(tuned)
    assert not getattr(Adapter(), "merges", True)
    assert torch.equal(said(Adapter().merge(tuned)), wrapped)


# --- counts (science.md 10), net by net: width d, feed-forward f, keys k, blocks L -----------------------------------

HEAD = {"classifier": 16 * 16 + 16 + 3 * 16 + 3, "tagger": 4 * 16 + 4, "extractor": 2 * 16 + 2}
ENCODER = {"d": 16, "f": 32, "k": 16, "L": 3}
SIZES = {
    "classifier": ENCODER,
    "tagger": ENCODER,
    "extractor": ENCODER,
    "masked": ENCODER,
    "llama": {"d": 32, "f": 48, "k": 16, "L": 2},
    "gpt2": {"d": 32, "f": 128, "k": 32, "L": 2},
}


@pytest.mark.parametrize("net", SIZES)
def test_the_number_of_weights_is_exact(net: str) -> None:
    d, f, k, layers = (SIZES[net][letter] for letter in "dfkL")
    head, ways = HEAD.get(net, 0), 2 if net == "llama" else 1
    outputs = 2 * d + 2 * k + ways * f + d  # of query, output, key, value, gate and up, down
    ends = outputs + 4 * d + ways * d + f  # and their inputs
    expected: dict[Any, int] = {
        Lora(rank=5): layers * 5 * ends + head,
        Dora(rank=5): layers * (5 * ends + outputs) + head,
        Ia3(): layers * (k + k + f) + head,
        Adapter(width=7): layers * 2 * (2 * d * 7 + 7 + d) + head,
    }
    found = {each: count_learning(each.apply(made(net), 0)) for each in expected}
    assert found == expected


@pytest.mark.parametrize("net", ["classifier", "tagger", "extractor", "masked", "gpt2", "bart"])
def test_bitfit_counts_the_biases(net: str) -> None:
    tuned = Bitfit().apply(made(net), 0)
    heads = tuple(f"{name}." for name in fresh_parts(tuned))
    biases = sum(w.numel() for n, w in tuned.named_parameters() if n.endswith(".bias") and not n.startswith(heads))
    assert count_learning(tuned) == biases + HEAD.get(net, 0)
    if net == "classifier":  # of a block: 4 d of attention, f + d of the feed-forward, 2 d of norms; d of the words'
        assert biases == 3 * (7 * 16 + 32) + 16


@pytest.mark.parametrize("net", WITHOUT_BIASES)
def test_bitfit_refuses_a_model_without_biases(net: str) -> None:
    model = made(net)
    with pytest.raises(UserError, match="has none"):
        Bitfit().apply(model, 0)
    assert all(weight.requires_grad for weight in model.parameters())


def test_head_refuses_what_is_tied_and_trains_what_is_not() -> None:
    for net in ("gpt2", "t5", "bart", "masked"):
        with pytest.raises(UserError, match="with the table that reads them"):
            Head().apply(made(net), 0)
    assert [name for name, _ in describe_learning(Head().apply(made("llama"), 0))] == ["head.weight"]


def test_layers_of_two_stacks_are_counted_from_the_top() -> None:
    tuned = Layers(top=3).apply(made("t5"), 0)
    learning = {name for name, _ in describe_learning(tuned)}
    assert {name.split(".blocks.")[0] + name.split(".blocks.")[1][0] for name in learning if ".blocks." in name} == {
        "decoder0",
        "decoder1",
        "encoder1",
    }
    assert "decoder.norm.weight" in learning
    assert "encoder.embeddings.words.weight" not in learning


# --- written and read again ------------------------------------------------------------------------------------------


def small(name: str) -> Any:
    """A tuning by name, with a small rank, width or number of vectors."""
    little = {"rank": 2, "width": 3, "tokens": 3, "top": 1}
    known = {each.name for each in dataclasses.fields(TUNINGS.kind(name))}
    return TUNINGS.make(name, {key: value for key, value in little.items() if key in known})


IMPOSSIBLE = {("bitfit", "llama"), ("bitfit", "t5"), ("head", "gpt2"), ("head", "t5")}
IMPOSSIBLE |= {("prefix", "classifier"), ("soft_prompt", "classifier")}
RELOADED = [(name, net) for name in TUNINGS.names() if name != "qlora" for net in ("classifier", "llama", "gpt2", "t5")]


@pytest.mark.parametrize(("name", "net"), [pair for pair in RELOADED if pair not in IMPOSSIBLE])
def test_reloaded_it_is_the_same_to_the_bit(name: str, net: str, tmp_path: Path) -> None:
    tuning = small(name)
    tuned = tuning.apply(made(net), 0)
    stirred(tuned)
    form = write_adapter(tuned, tuning, tmp_path, "models/base")
    again = made(net)
    read = read_adapter(again, tmp_path)
    assert torch.equal(said(again), said(tuned))
    assert describe_learning(again) == describe_learning(tuned)
    assert read == tuning
    if name in ("lora", "dora", "ia3"):
        assert form == "peft"


@pytest.mark.parametrize("name", ["bitfit", "adapter", "layers"])
def test_an_adapter_of_another_net_is_refused_and_the_net_untouched(name: str, tmp_path: Path) -> None:
    tuning = small(name)
    write_adapter(tuning.apply(made("gpt2"), 0), tuning, tmp_path, "")
    model = made("bart")
    before = said(model)
    with pytest.raises(UserError, match="does not fit this model"):
        read_adapter(model, tmp_path)
    assert torch.equal(said(model), before)
    assert all(weight.requires_grad for weight in model.parameters())
    assert {each for each, _ in model.named_parameters()} == {each for each, _ in made("bart").named_parameters()}


@pytest.mark.parametrize("name", ["dora", "ia3", "bitfit", "adapter"])
def test_the_loop_trains_them(name: str) -> None:
    training = begun(BESIDE[name])
    before = {each: weight.detach().clone() for each, weight in training.net.named_parameters()}
    taken = steps(training)
    frozen = set(before) - set(training.weights)
    assert all(torch.equal(dict(training.net.named_parameters())[each], before[each]) for each in frozen)
    assert taken[-1].loss < taken[0].loss
