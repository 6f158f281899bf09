"""LoRA, DoRA and IA3 against peft on every kind of net: ours over its model, its over ours, the same answers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dragoman.core.errors import UserError
from dragoman.nn.adapter import merge_adapter
from dragoman.nn.encdec import EncoderDecoder
from dragoman.nn.folder import encoder_family_of, published_names
from dragoman.nn.heads import Extractor, Headed, Tagger
from dragoman.nn.names import to_published
from dragoman.nn.store import family_of
from dragoman.train.adapter import read_adapter, write_adapter
from dragoman.train.tuning.adapter import Adapter
from dragoman.train.tuning.dora import Dora
from dragoman.train.tuning.ia3 import Ia3
from dragoman.train.tuning.lora import Lora
from tests.train.tunings import IDS, close, made, said, stirred

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")

TUNINGS: dict[str, Any] = {
    "lora": Lora(rank=3),
    "rslora": Lora(rank=4, alpha=6.0, stabilised=True, where=("down", "query", "value")),
    "dora": Dora(rank=2, alpha=3.0),
    "ia3": Ia3(),
}
NETS = {
    "lora": ("classifier", "tagger", "extractor", "llama", "gpt2", "t5", "bart"),
    "rslora": ("classifier", "gpt2", "t5"),
    "dora": ("classifier", "llama", "gpt2", "bart"),
    "ia3": ("tagger", "llama", "gpt2", "t5"),
}


def base(net: Any) -> Any:
    """The same net as transformers builds it, with the same weights."""
    family = family_of(net.arch.family)
    config = transformers.AutoConfig.for_model(**{**family.write(net.arch), "bos_token_id": 1, "eos_token_id": 2})
    if isinstance(net, Headed):
        config.num_labels = 2 if isinstance(net, Extractor) else len(net.labels)
        kind = {Tagger: "TokenClassification", Extractor: "QuestionAnswering"}.get(type(net), "SequenceClassification")
        tensors = published_names(net, net.arch, encoder_family_of(net.arch.family))
    else:
        kind = "Seq2SeqLM" if isinstance(net, EncoderDecoder) else "CausalLM"
        tensors = to_published(net, net.arch, family.language)
    theirs = getattr(transformers, f"AutoModelFor{kind}").from_config(config)
    _, unexpected = theirs.load_state_dict(tensors, strict=False)
    assert not unexpected
    theirs.tie_weights()
    return theirs.eval()


@torch.no_grad()
def answered(theirs: nn.Module, like: nn.Module) -> Tensor:
    """What their model says to the same tokens."""
    if isinstance(like, EncoderDecoder):
        return theirs.eval()(input_ids=IDS, decoder_input_ids=IDS[:, :3]).logits  # type: ignore[no-any-return]
    found = theirs.eval()(input_ids=IDS)
    return torch.stack((found.start_logits, found.end_logits), -1) if isinstance(like, Extractor) else found.logits


@pytest.mark.parametrize(("name", "net"), [(name, net) for name, nets in NETS.items() for net in nets])
def test_peft_answers_as_we_do_and_so_do_we_when_it_is_read_or_merged(name: str, net: str, tmp_path: Path) -> None:
    plain, tuning = made(net), TUNINGS[name]
    theirs = base(plain)
    assert close(answered(theirs, plain), said(plain))
    tuned = tuning.apply(made(net), 0)
    stirred(tuned)
    assert write_adapter(tuned, tuning, tmp_path, "") == "peft"
    expected = said(tuned)
    assert not close(expected, said(plain), 0.01)
    with_theirs = peft.PeftModel.from_pretrained(theirs, tmp_path)
    assert close(answered(with_theirs, plain), expected)
    again = made(net)
    assert read_adapter(again, tmp_path) == tuning
    assert torch.equal(said(again), expected)
    merged = made(net)
    merge_adapter(merged, tmp_path)
    assert close(said(merged), expected)


TARGETS = {
    "classifier": (["query", "value", "intermediate.dense"], ["value", "output.dense"], ["output.dense"]),
    "llama": (["q_proj", "v_proj", "gate_proj"], ["k_proj", "v_proj", "down_proj"], ["down_proj"]),
    "gpt2": (["c_attn", "c_fc"], ["c_attn", "mlp.c_proj"], ["mlp.c_proj"]),
    "t5": (["q", "v", "wi"], ["k", "v", "wo"], ["wo"]),
    "bart": (["q_proj", "v_proj", "fc1"], ["k_proj", "v_proj", "fc2"], ["fc2"]),
}
HEADS = {"task_type": "SEQ_CLS", "modules_to_save": ["pooler", "classifier"]}


@pytest.mark.parametrize("net", TARGETS)
@pytest.mark.parametrize("name", ["lora", "dora", "ia3"])
def test_we_answer_as_peft_does(name: str, net: str, tmp_path: Path) -> None:
    thin, scaled, entering = TARGETS[net]
    head = HEADS if net == "classifier" else {"task_type": "SEQ_2_SEQ_LM" if net in ("t5", "bart") else "CAUSAL_LM"}
    if name == "ia3":
        settings = peft.IA3Config(target_modules=scaled, feedforward_modules=entering, **head)
    else:
        settings = peft.LoraConfig(r=3, lora_alpha=7, use_dora=name == "dora", target_modules=thin, **head)
    plain = made(net)
    model = peft.get_peft_model(base(plain), settings)
    _stir_theirs(model)
    expected = answered(model, plain)
    model.save_pretrained(tmp_path / "theirs")
    merged = made(net)
    merge_adapter(merged, tmp_path / "theirs")
    assert close(said(merged), expected)
    beside = made(net)
    tuning = read_adapter(beside, tmp_path / "theirs")
    assert close(said(beside), expected)
    assert write_adapter(beside, tuning, tmp_path / "again", "") == "peft"
    back = peft.PeftModel.from_pretrained(base(plain), tmp_path / "again")
    assert close(answered(back, plain), expected)


def _stir_theirs(model: Any) -> None:
    dice = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                near = torch.empty_like(weight).normal_(0, 0.1, generator=dice)
                weight.copy_(weight * near.exp() if "ia3_l" in name or "magnitude" in name else weight + near)


def test_our_joint_pair_is_one_of_the_summed_ranks(tmp_path: Path) -> None:
    """GPT-2's query, key and value are one matrix: 3 x rank rows, and alpha as many times, so that the scale stays."""
    tuning = Lora(rank=2, alpha=5.0)
    write_adapter(tuning.apply(made("gpt2"), 0), tuning, tmp_path, "gpt2")
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    joint = "transformer.h.1.attn.c_attn"
    assert (config["rank_pattern"][joint], config["alpha_pattern"][joint], config["fan_in_fan_out"]) == (6, 15.0, True)
    assert config["task_type"] == "CAUSAL_LM"


def test_what_peft_does_not_know_is_written_in_our_own_form(tmp_path: Path) -> None:
    tuned = Adapter(width=2).apply(made("llama"), 0)
    assert write_adapter(tuned, Adapter(width=2), tmp_path, "models/base") == "own"
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["not_in_peft_form"] == "PEFT has no adapter"
    assert (config["dragoman_tuning"], config["settings"]) == ("adapter", {"width": 2})
    with pytest.raises(UserError, match="not in PEFT form"):
        merge_adapter(made("llama"), tmp_path)


def test_gains_on_a_part_of_what_enters_a_joint_matrix_have_no_peft_form(tmp_path: Path) -> None:
    tuning = Ia3(outputs=("value",), inputs=("query",))
    tuned = tuning.apply(made("gpt2"), 0)
    stirred(tuned)
    assert write_adapter(tuned, tuning, tmp_path, "") == "own"
    assert "cannot multiply what enters a part" in json.loads((tmp_path / "adapter_config.json").read_text())[
        "not_in_peft_form"
    ]  # fmt: skip
    again = made("gpt2")
    assert read_adapter(again, tmp_path) == tuning
    assert torch.equal(said(again), said(tuned))


def test_ranks_of_their_own_are_merged_but_are_no_tuning(tmp_path: Path) -> None:
    settings = peft.LoraConfig(
        r=4, target_modules=["q_proj", "v_proj"], rank_pattern={"v_proj": 2}, alpha_pattern={"v_proj": 9}
    )
    model = peft.get_peft_model(base(made("llama")), settings)
    _stir_theirs(model)
    model.save_pretrained(tmp_path)
    merged = made("llama")
    merge_adapter(merged, tmp_path)
    assert close(said(merged), answered(model, merged))
    with pytest.raises(UserError, match="scale of its own"):
        read_adapter(made("llama"), tmp_path)


@pytest.mark.parametrize("start", ["gaussian", "orthogonal", "pissa", "pissa_niter_2", "olora"])
def test_an_adapter_beside_a_changed_base_is_refused(start: str, tmp_path: Path) -> None:
    """PiSSA and OLoRA take their beginning out of the base, so that their pairs over the published one are wrong."""
    settings = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=start)
    model = peft.get_peft_model(base(made("llama")), settings)
    model.save_pretrained(tmp_path)
    merged = made("llama")
    if start in ("gaussian", "orthogonal"):
        merge_adapter(merged, tmp_path)
        assert close(said(merged), answered(model, merged))
        return
    for opened in (merge_adapter, read_adapter):
        with pytest.raises(UserError, match=f"began as {start}"):
            opened(merged, tmp_path)
    assert torch.equal(said(merged), said(made("llama")))


@pytest.mark.parametrize(("net", "targets"), [("gpt2", ["c_attn", "mlp.c_proj"]), ("classifier", ["query"])])
def test_biases_that_learnt_with_it_are_merged(net: str, targets: list[str], tmp_path: Path) -> None:
    head = HEADS if net == "classifier" else {"task_type": "CAUSAL_LM"}
    plain = made(net)
    model = peft.get_peft_model(base(plain), peft.LoraConfig(r=3, target_modules=targets, bias="all", **head))
    _stir_theirs(model)
    expected = answered(model, plain)
    model.save_pretrained(tmp_path)
    merge_adapter(plain, tmp_path)
    assert close(said(plain), expected)


@pytest.mark.parametrize("target", ["lm_head", "wte"])
def test_an_adapter_on_the_table_of_words_is_refused_by_its_name(target: str, tmp_path: Path) -> None:
    model = peft.get_peft_model(base(made("gpt2")), peft.LoraConfig(r=2, target_modules=["c_attn", target]))
    model.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=rf"the table of words \(\S*{target}\), which is tied and cannot be merged"):
        merge_adapter(made("gpt2"), tmp_path)
