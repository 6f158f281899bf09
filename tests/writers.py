"""A tiny model that writes, in a folder, and rows that it can learn in seconds: a word is asked for, and said."""

import json
from pathlib import Path

from tokenizers import AddedToken, decoders, pre_tokenizers, trainers
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE

from dragoman.nn.sizes import fresh_arch
from dragoman.nn.store import build_lm, save_lm
from dragoman.nn.tokenizer import Tokenizer

__all__ = ["WORDS", "rows", "write_model", "write_pairs", "write_rows"]

WORDS = ("cat", "dog", "sun", "map", "hat", "pen", "cup", "bee")
TEXT = "### Instruction:\nsay the word\n\n### Response:\n"


def write_tokenizer(folder: Path, template: str = "") -> Tokenizer:
    """Whole words of the task and bytes; `</s>` ends a text."""
    folder.mkdir(parents=True, exist_ok=True)
    rust = Rust(BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["<pad>", "<s>", "</s>"],
        show_progress=False,
    )
    texts = [f"{TEXT}say {word} {word}." for word in WORDS] * 5
    rust.train_from_iterator(texts, trainer=trainer)
    rust.add_special_tokens([AddedToken(word, special=True) for word in ("<pad>", "<s>", "</s>")])
    rust.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    settings |= {"pad_token": "<pad>", **({"chat_template": template} if template else {})}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return Tokenizer(folder)


def write_model(folder: Path, family: str = "llama", template: str = "", seed: int = 0) -> Path:
    """A model of that family that has learnt nothing, as transformers has it: two blocks, 64 wide."""
    from dragoman.nn.fresh import fill

    tokenizer = write_tokenizer(folder.with_name(f"{folder.name}-tokens"), template)
    arch = fresh_arch(family, tokenizer.size, 128, width=64, layers=2, heads=4)
    net = build_lm(arch)
    fill(net, arch, seed)
    save_lm(net.eval(), tokenizer, folder)
    return folder


def rows(count: int = 96) -> list[dict[str, str]]:
    """Instructions and answers; every row differs from every other."""
    return [
        {"instruction": f"say {WORDS[place % len(WORDS)]} {place}", "input": "", "output": WORDS[place % len(WORDS)]}
        for place in range(count)
    ]


def write_rows(path: Path, count: int = 96) -> Path:
    """Those rows in a file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(count)), encoding="utf-8")
    return path


def write_pairs(path: Path, count: int = 96) -> Path:
    """A file of pairs: the word that was asked for is chosen, another one with more behind it is rejected."""
    named = [(row, WORDS[row % 8], WORDS[(row + 1) % 8]) for row in range(count)]
    found = [{"prompt": f"say {one} {row}", "chosen": one, "rejected": f"{other} or not"} for row, one, other in named]
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return path
