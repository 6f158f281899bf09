"""Each program's turn in benchmarks/sft.py: the same Llama, the same instructions, the same chat template."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

__all__ = [
    "COMPILING",
    "EXAMPLES",
    "OURS",
    "PACKED_ROWS",
    "ROOM",
    "TRAINER",
    "TRL",
    "WARM_UP",
    "prepare",
    "shape",
    "told",
    "turn",
]

EXAMPLES, ROOM = 8, 512
"examples of a step where each has a row of its own, and tokens of a row where they share one"
PACKED_ROWS = 2
"rows of a step where examples share them: about as many tokens as those examples have"
WARM_UP, COMPILING = 2, 6
"the first steps pay for threads, kernels and memory, or for compilers that meet new lengths, and are not counted"
OURS = {
    "dragoman, full": {},
    "dragoman, full, not packed": {"pack": False},
    "dragoman, full, compiled": {"compiled": True},
    "dragoman, LoRA": {"tuning": "lora"},
}
TRL = {
    "TRL, defaults": {"defaults": True},
    "TRL, sdpa": {"attention": "sdpa"},
    "TRL, eager": {"attention": "eager"},
    "TRL, sdpa, packed": {"attention": "sdpa", "packing": True},
    "TRL, eager, packed": {"attention": "eager", "packing": True},
    "TRL, LoRA, defaults": {"defaults": True, "lora": True},
    "TRL, LoRA, eager": {"attention": "eager", "lora": True},
}
TRAINER = {"Trainer, sdpa": {"attention": "sdpa"}, "Trainer, eager": {"attention": "eager"}}
MATRICES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def shape(vocabulary: int, width: int = 512, layers: int = 6) -> Any:
    """A Llama of 21 million weights at 8,000 words: 6 layers, 512 wide, one table for reading and predicting words."""
    from dragoman.nn.arch import Arch, Rope

    return Arch(
        family="llama", kind="decoder", vocabulary=vocabulary, width=width, layers=layers, heads=width // 64,
        kv_heads=4, feed_forward=width * 8 // 3 // 64 * 64, positions=2 * ROOM, attention_bias=False,
        output_bias=False, feed_forward_bias=False, norm="rms", norm_place="before", norm_eps=1e-5, final_norm=True,
        position="rotary", rope=Rope(10_000.0), token_types=0, embedding_norm=False, activation="silu", gated=True,
        tied=True, dropout=0.0, attention_dropout=0.0,
    )  # fmt: skip


def prepare(folder: Path, data: Path, rows: int, width: int = 512) -> dict[str, int]:
    """Write the model, its tokenizer with the chat template and the first `rows` dialogues that fit; the sizes."""
    from dragoman.core.types import Message
    from dragoman.nn.marking import Marked, mark
    from dragoman.nn.recipe import Training
    from dragoman.nn.store import fresh_lm, save_lm
    from dragoman.nn.templates import TEMPLATES
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.nn.vocabulary import train, write

    read = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines() if line.strip()]
    texts = (f"{row['instruction']}\n{row['input']}\n{row['output']}" for row in read)
    write(train(texts, Training()), Training(), folder)
    tokenizer = Tokenizer(folder)
    tokenizer.use_template(TEMPLATES["instruct"])
    net = fresh_lm(shape(-(-tokenizer.size // 64) * 64, width))
    save_lm(net, tokenizer, folder)
    asked = ["\n\n".join(filter(None, (row["instruction"], row["input"]))) for row in read]
    both = [[question, row["output"]] for question, row in zip(asked, read, strict=True)]
    kept, marked = list[list[str]](), list[Marked]()
    for pair in both:
        one = mark(tokenizer, [Message("user", pair[0]), Message("assistant", pair[1])])
        if len(one.ids) <= ROOM and len(kept) < rows:
            kept.append(pair)
            marked.append(one)
    (folder / "rows.json").write_text(json.dumps(kept), encoding="utf-8")
    return {
        "rows": len(kept),
        "tokens": sum(len(one.ids) for one in marked),
        "learnt": sum(sum(one.learnt) for one in marked),
        "weights": sum(weight.numel() for weight in net.parameters()),
        "vocabulary": net.arch.vocabulary,
    }


def turn(label: str, folder: Path, steps: int) -> dict[str, Any]:
    """A program's useful tokens a second and a second of the processor, its loss, and what its memory grew by."""
    clock = _Clock()
    if label in OURS:
        return _ours(folder, steps, clock, **OURS[label])
    rows = [tuple(pair) for pair in json.loads((folder / "rows.json").read_text(encoding="utf-8"))]
    peer = _trl if label in TRL else _trainer
    return peer(folder, rows, steps, clock, **(TRL | TRAINER)[label])


class _Clock:
    """When each step was done, by the wall and by the processor, how many useful tokens had been read by then, and
    the memory of the process before the model was opened."""

    def __init__(self) -> None:
        self.tokens, self.skipped = 0, WARM_UP
        self.at: list[tuple[float, float, int]] = []
        self.idle = 0

    def begin(self) -> None:
        """Everything is imported: what is held from now on is the training's."""
        from dragoman.core.sizing import peak_memory, reset_peak_memory

        _warm()
        reset_peak_memory()
        self.idle = peak_memory()

    def tick(self) -> None:
        """A step is done."""
        self.at.append((time.perf_counter(), time.process_time(), self.tokens))

    def told(self, loss: float) -> dict[str, Any]:
        """The figures of the run."""
        from dragoman.core.sizing import peak_memory

        return told(self.at, self.skipped) | {"loss": loss, "idle": self.idle, "grown": peak_memory() - self.idle}


def told(at: list[tuple[float, float, int]], skipped: int = WARM_UP) -> dict[str, float]:
    """Useful tokens a second from the moments at which steps were done: (wall, processor, tokens read so far)."""
    (wall, busy, before), (late, spent, after) = at[skipped - 1], at[-1]
    return {"tokens_per_second": (after - before) / (late - wall), "tokens_per_busy": (after - before) / (spent - busy)}


def _warm() -> None:
    """A product, its gradient and a step of AdamW in both precisions: what they load is no model's."""
    import torch

    for dtype in (torch.float32, torch.bfloat16):
        one = torch.nn.Parameter(torch.randn(64, 64, dtype=dtype))
        (one @ one).sum().backward()
        torch.optim.AdamW([one], fused=True).step()


def _ours(
    folder: Path, steps: int, clock: _Clock, tuning: str = "full", pack: bool = True, compiled: bool = False
) -> dict[str, Any]:
    from dragoman.core.types import Example, Message
    from dragoman.nn.store import load_lm
    from dragoman.nn.tokenizer import Tokenizer
    from dragoman.stages.tune_plan import methods_of
    from dragoman.train.doors import OBJECTIVES, TUNINGS, How
    from dragoman.train.fitting import Lesson
    from dragoman.train.loop import begin, fit

    clock.skipped = COMPILING if compiled else WARM_UP
    rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    data = Lesson([Example((Message("user", asked),), (answer,)) for asked, answer in rows])
    how = How(
        steps=clock.skipped + steps, batch=PACKED_ROWS if pack else EXAMPLES, max_length=ROOM, compile=compiled,
        precision="bf16", device="cpu",
    )  # fmt: skip
    objective, made = OBJECTIVES.make("sft", {"pack": pack}), TUNINGS.make(tuning, {})
    clock.begin()
    net = load_lm(folder)
    training = begin(net, Tokenizer(folder), objective, made, data, how)
    longest = replace(how, max_length=int(training.encoded.lengths.max()))
    plan = next(one for one in methods_of(net.arch, longest, 0, 2**40, 0.0) if one.name == tuning)
    loss = 0.0
    for step in fit(training):
        clock.tokens += step.tokens
        clock.tick()
        loss = step.loss
    return clock.told(loss) | {"planned": plan.memory}


def _trl(
    folder: Path,
    rows: list[tuple[str, str]],
    steps: int,
    clock: _Clock,
    defaults: bool = False,
    attention: str = "sdpa",
    packing: bool = False,
    lora: bool = False,
) -> dict[str, Any]:
    """SFTTrainer on prompts and completions, of which it learns the completions, as ours does."""
    import datasets
    import peft
    import transformers
    import trl

    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    told = [
        {"prompt": [{"role": "user", "content": asked}], "completion": [{"role": "assistant", "content": answer}]}
        for asked, answer in rows
    ]
    thin = peft.LoraConfig(r=8, lora_alpha=16, target_modules=MATRICES, task_type="CAUSAL_LM") if lora else None
    own: dict[str, Any] = {} if defaults else {"gradient_checkpointing": False, "max_length": ROOM, "packing": packing}
    if not defaults:
        own["model_init_kwargs"] = {"attn_implementation": attention, "dtype": "float32"}
    clock.begin()
    with tempfile.TemporaryDirectory() as output:
        arguments = trl.SFTConfig(
            per_device_train_batch_size=PACKED_ROWS if packing else EXAMPLES, **_quiet(output, steps), **own
        )
        trainer = trl.SFTTrainer(
            str(folder), arguments, train_dataset=datasets.Dataset.from_list(told), peft_config=thin,
            callbacks=[_watch(clock.tick)],
        )  # fmt: skip
        _count(trainer.model, clock, trainer.processing_class.pad_token_id)
        loss = float(trainer.train().training_loss)
    return clock.told(loss)


def _trainer(folder: Path, rows: list[tuple[str, str]], steps: int, clock: _Clock, attention: str) -> dict[str, Any]:
    """The Trainer on rows whose prompts are masked, padded as they come."""
    import torch
    import transformers

    from dragoman.core.types import Message
    from dragoman.nn.marking import mark
    from dragoman.nn.tokenizer import Tokenizer

    transformers.logging.set_verbosity_error()
    ours, fast = Tokenizer(folder), transformers.AutoTokenizer.from_pretrained(folder)
    data = []
    for asked, answer in rows:
        one = mark(ours, [Message("user", asked), Message("assistant", answer)])
        labels = [token if learnt else -100 for token, learnt in zip(one.ids, one.learnt, strict=True)]
        data.append({"input_ids": list(one.ids), "labels": labels, "attention_mask": [1] * len(labels)})
    clock.begin()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation=attention, dtype=torch.float32
    )
    _count(model, clock, fast.pad_token_id)
    with tempfile.TemporaryDirectory() as output:
        arguments = transformers.TrainingArguments(
            bf16=True, per_device_train_batch_size=EXAMPLES, **_quiet(output, steps)
        )
        found = transformers.Trainer(
            model, arguments, train_dataset=data, callbacks=[_watch(clock.tick)],
            data_collator=transformers.DataCollatorForSeq2Seq(fast),
        ).train()  # fmt: skip
    return clock.told(float(found.training_loss))


def _quiet(output: str, steps: int) -> dict[str, Any]:
    """What says nothing, saves nothing and asks for no GPU."""
    return {
        "output_dir": output, "max_steps": WARM_UP + steps, "use_cpu": True, "save_strategy": "no", "report_to": "none",
        "logging_strategy": "no", "disable_tqdm": True, "dataloader_pin_memory": False,
    }  # fmt: skip


def _watch(tick: Callable[[], None]) -> Any:
    import transformers

    class Watch(transformers.TrainerCallback):  # type: ignore[misc]
        """Notes when each step is done."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            tick()

    return Watch()


def _count(model: Any, clock: _Clock, filling: int) -> None:
    """Add the tokens of each pass that are no padding to the clock."""

    def look(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        ids = named["input_ids"] if "input_ids" in named else given[0]
        clock.tokens += int((ids != filling).sum())

    model.register_forward_pre_hook(look, with_kwargs=True)
