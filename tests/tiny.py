"""A world small enough to run whole: three labels told by their words, a random model of two layers, a project file."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

__all__ = ["LABELS", "rows", "write_model", "write_project", "write_rows"]

LABELS = {
    "kitchen": "food cooked in an oven with butter and salt",
    "garden": "plants and flowers that grow in soil with water",
    "money": "a bank account with interest, a loan and tax",
}
TOPICS = {
    "kitchen": "oven butter salt onion garlic dough soup knife recipe boil spoon pepper bake rice sauce flour",
    "garden": "soil seed rose hedge spade weed tulip compost lawn bloom prune oak leaf shrub root bulb",
    "money": "bank loan tax invoice interest budget salary coin debt share bond fund price wallet audit fee",
}
FILLERS = (
    "the a my your this that with without and or then before after again today tomorrow yesterday never always often "
    "small large old new green quick slow first last next long short good bad plain strange warm cold we they she he "
    "you ask tell find need want keep leave bring take make see hear know think of in on at by for from over under near"
)
NEARNESS = 0.7  # enough for few_shot to see something, too little for it to see all
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def rows(count: int = 240, seed: int = 0, noise: float = 0.1) -> list[dict[str, str]]:
    """Texts of some eleven words, three of which tell the label; a share of the labels is drawn by lot."""
    dice = random.Random(seed)
    names, fillers, made = list(LABELS), FILLERS.split(), []
    for number in range(count):
        label = names[number % len(names)]
        words = dice.sample(fillers, 8) + dice.sample(TOPICS[label].split(), 3)
        dice.shuffle(words)
        given = dice.choice(names) if dice.random() < noise else label
        made.append({"text": " ".join(words), "label": given})
    return made


def write_rows(path: Path, made: Sequence[dict[str, str]]) -> Path:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return path


def write_model(folder: Path) -> Path:
    """A random BERT of two layers and width 32 that knows the words of this world, as an encoder in published form."""
    import torch
    from tokenizers import Tokenizer as Rust
    from tokenizers import normalizers, pre_tokenizers
    from tokenizers.models import WordPiece
    from tokenizers.processors import TemplateProcessing

    from dragoman.nn.arch import Arch
    from dragoman.nn.encoder import fresh_encoder
    from dragoman.nn.store import save_encoder
    from dragoman.nn.tokenizer import Tokenizer

    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
    words = " ".join([*TOPICS.values(), FILLERS, *LABELS, *LABELS.values()]).replace(",", "").split()
    vocabulary = list(dict.fromkeys([*SPECIAL, *words, *letters]))
    rust = Rust(WordPiece(vocab={word: number for number, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    rust.normalizer = normalizers.BertNormalizer()
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.add_special_tokens(SPECIAL)
    rust.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokens = folder.with_name(f"{folder.name}-tokens")
    tokens.mkdir(parents=True)
    rust.save(str(tokens / "tokenizer.json"))
    named = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    (tokens / "special_tokens_map.json").write_text(json.dumps(named))
    net = fresh_encoder(Arch("bert", len(vocabulary), 32, 2, 4, 64, 128), seed=0)
    dice = torch.Generator().manual_seed(0)
    with torch.no_grad():  # far from its start, so that a word is felt in every state: as if it were pretrained
        for module in net.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.normal_(0, 1.5 / module.weight.shape[1] ** 0.5, generator=dice)
        table = net.embeddings.words.weight.normal_(0, 1, generator=dice)
        for topic in TOPICS.values():  # words of one topic lie near each other, as they do after pretraining
            table[[vocabulary.index(word) for word in topic.split()]] += torch.randn(32, generator=dice) * NEARNESS
    save_encoder(net, Tokenizer(tokens), folder)
    return folder


PROJECT = """\
[scope]
name = "rooms"
objective = "Tell which part of a household a note is about."
target = {{ accuracy = "{target}" }}
limits = {{ size_mb = "<= 5" }}
budget = {{ memory = "4 GiB", time = "2 min" }}

[scope.labels]
{labels}

[data]
source = "rows.jsonl"

[models]
candidates = ["{model}"]
max_length = 32

[ladder]
rungs = [{rungs}]
trials = 1

[train]
rate = 1e-2
epochs = 10
save_seconds = {save}
"""


def write_project(
    folder: Path,
    model: Path,
    target: str = ">= 0.60",
    rungs: Sequence[str] = ("zero_shot", "few_shot", "head", "full"),
    save: float = 60,
) -> Path:
    """A project folder with its rows and its dragoman.toml, whose rungs take a second each."""
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "rows.jsonl", rows())
    named = "\n".join(f'{label} = "{text}"' for label, text in LABELS.items())
    listed = ", ".join(f'"{rung}"' for rung in rungs)
    text = PROJECT.format(target=target, labels=named, model=model, rungs=listed, save=save)
    (folder / "dragoman.toml").write_text(text, encoding="utf-8")
    return folder
