"""Random tiny models of architectures that have no family file here, in folders as their publishers write them."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, decoders, pre_tokenizers
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE

__all__ = ["KINDS", "hf_folder"]

_SIZES: dict[str, Any] = {"vocab_size": 300, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
KINDS: dict[str, dict[str, Any]] = {
    "gpt_neox": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    },
    "opt": {
        "hidden_size": 32,
        "word_embed_proj_dim": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "ffn_dim": 64,
        "max_position_embeddings": 64,
    },
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mamba": {"hidden_size": 32, "state_size": 4, "num_hidden_layers": 2, "expand": 2, "conv_kernel": 4},
    "marian": {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 64,
        "decoder_start_token_id": 0,
        "forced_eos_token_id": None,
    },
}


def hf_folder(kind: str, folder: Path) -> Path:
    """A model of that kind with its tokenizer: bytes and a few merges, `<s>` and `</s>`."""
    import transformers

    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **{**_SIZES, **KINDS[kind]})
    opener = transformers.AutoModelForSeq2SeqLM if kind == "marian" else transformers.AutoModelForCausalLM
    net = opener.from_config(config)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if weight.dim() == 2 and "A_log" not in name:
                weight.normal_(0, 0.3)  # as published, a random model says one word for ever
    net.generation_config.forced_eos_token_id = None
    net.generation_config.bad_words_ids = None
    net.save_pretrained(folder)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("h", "e"), ("l", "l"), ("Ġ", "t"), ("Ġt", "he"), ("i", "n")]
    words = ["<pad>", "<s>", "</s>", "<unk>", *letters, *(first + second for first, second in merges)]
    rust = Rust(BPE(vocab={word: number for number, word in enumerate(words)}, merges=merges))
    rust.pre_tokenizer, rust.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    rust.add_special_tokens([AddedToken(word, special=True) for word in words[:4]])
    rust.save(str(folder / "tokenizer.json"))
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
