"""Chat templates in the manner of four published families, and small byte-level tokenizers that carry them."""

import json
from pathlib import Path

from tokenizers import AddedToken, decoders, pre_tokenizers, trainers
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE

CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA = """{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content']|trim %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set system = "" %}
    {%- set rest = messages %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Tools: " + (tools | tojson) + "\\n" if tools else "" }}
{{- system }}
{{- "<|eot_id|>" }}
{%- for message in rest %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
GEMMA = """{{ bos_token }}{% for message in messages %}
{% if message['role'] == 'system' %}{{ raise_exception('there is no system role') }}{% endif %}
{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}
{% endfor %}
{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"""
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{% generation %}{{ ' ' + message['content'] + eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
)
SPECIALS = {
    "chatml": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    "llama": ("<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
    "gemma": ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    "mistral": ("<s>", "</s>", "[INST]", "[/INST]"),
}
TEMPLATES = {"chatml": CHATML, "llama": LLAMA, "gemma": GEMMA, "mistral": MISTRAL}
TEXT = ["the cat sat on the mat and said hello to you, my friend. " * 3, "[INST] < | > im_end user assistant s"] * 3


def write_chat(name: str, folder: Path, template: str = "", plain: tuple[str, ...] = ()) -> Path:
    """A folder with a tokenizer of that family: `plain` are added tokens that are not special."""
    folder.mkdir(parents=True, exist_ok=True)
    rust = Rust(BPE())
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.pre_tokenizer = letters
    rust.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        initial_alphabet=sorted(letters.alphabet()),
        special_tokens=list(SPECIALS[name]),
        show_progress=False,
    )
    rust.train_from_iterator(TEXT, trainer=trainer)
    rust.add_tokens([AddedToken(token, special=False, normalized=False) for token in plain])
    return _written(rust, name, folder, template)


def write_marked(name: str, folder: Path) -> Path:
    """The same with SentencePiece's way of words: the very first one is marked by a space, those after a control are
    not."""
    folder.mkdir(parents=True, exist_ok=True)
    rust = Rust(BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    rust.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    parts = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    rust.decoder = decoders.Sequence(parts)
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<unk>", *SPECIALS[name], *bytes_], show_progress=False
    )
    rust.train_from_iterator(TEXT, trainer=trainer)
    content = json.loads(rust.to_str())
    content["added_tokens"] = [one for one in content["added_tokens"] if not one["content"].startswith("<0x")]
    return _written(Rust.from_str(json.dumps(content)), name, folder, "")


def _written(rust: Rust, name: str, folder: Path, template: str) -> Path:
    rust.save(str(folder / "tokenizer.json"))
    first, second = SPECIALS[name][:2]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": first,
        "eos_token": "<|im_end|>" if name == "chatml" else second,
        "pad_token": first,
        "clean_up_tokenization_spaces": False,
        "chat_template": template or TEMPLATES[name],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
