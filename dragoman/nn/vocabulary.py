"""Training of tokenizers by the `tokenizers` library: byte-level BPE, WordPiece and Unigram, with their special tokens.

BPE (Sennrich et al. 2016) joins the most frequent pair of symbols again and again; on bytes (Radford et al. 2019) no
text is unknown. Unigram (Kudo 2018) starts from frequent substrings and drops those that the text's likelihood misses
least. WordPiece is *encoded* as BERT does it, the longest piece first; but the library *trains* it as BPE, by how often
a pair stands: Google's trainer, which weighs a pair by f(ab) / (f(a) f(b)) (Schuster and Nakajima 2012), was never
released.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, decoders, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Rust
from tokenizers.models import BPE, Unigram, WordPiece
from tokenizers.processors import TemplateProcessing

from dragoman.core.errors import UserError
from dragoman.nn.recipe import CHATML, Training, no_special, roles, specials
from dragoman.nn.specials import write_settings

__all__ = ["train", "write"]


def train(texts: Iterable[str], how: Training) -> Rust:
    """A tokenizer that was trained on these texts, equal each time for equal texts.

    Raises UserError where there is no text, or the size has no room for the characters of the texts.
    """
    rust = _blank(how)
    counted = _Counted(texts)
    try:
        if how.kind == "bpe":
            rust.train_from_iterator(counted, trainer=_byte_pairs(how))
        elif how.kind == "wordpiece":
            rust.model = _word_pieces(list(counted), how)
        else:
            rust.model = _unigram(counted, how)
    except UserError:
        raise
    except Exception as error:  # the library raises nothing narrower
        if not counted.characters:
            raise _nothing() from None
        raise _crowded(how, str(error)) from None
    if not counted.characters:
        raise _nothing()
    if rust.get_vocab_size() > how.size:
        raise _crowded(how, f"the characters of the texts alone are {rust.get_vocab_size():,} tokens")
    rust.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials(how)])
    _surround(rust, how)
    _refuse_words(rust, how)
    return rust


def write(rust: Rust, how: Training, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json into a folder, as transformers reads
    them."""
    (folder / "tokenizer.json").write_text(rust.to_str(), encoding="utf-8")
    write_settings(folder, roles(how), CHATML if how.chat else "")


class _Counted:
    """Texts that count their characters as they go by."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts
        self.characters = 0

    def __iter__(self) -> Iterator[str]:
        for text in self._texts:
            self.characters += len(text.strip())
            yield text


def _blank(how: Training) -> Rust:
    """An untrained tokenizer: how texts are normalised and split before the model sees them, and put together again."""
    form = how.normalize or ("nfkc" if how.kind == "unigram" else "none")
    steps: list[Any] = [normalizers.NFC()] if form == "nfc" else [normalizers.NFKC()] if form == "nfkc" else []
    digits = [pre_tokenizers.Digits(individual_digits=True)] if how.single_digits else []
    if how.kind == "wordpiece":
        rust = Rust(WordPiece(unk_token="[UNK]"))
        rust.normalizer = normalizers.Sequence([*steps, normalizers.BertNormalizer(lowercase=how.lowercase)])
        rust.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), *digits])
        rust.decoder = decoders.WordPiece()
        return rust
    steps += [normalizers.Lowercase()] if how.lowercase else []
    if how.kind == "unigram":
        rust = Rust(Unigram())
        steps += [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Replace(Regex(r"\A | \z"), "")]
        words = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
        rust.pre_tokenizer = pre_tokenizers.Sequence([words, *digits])
        rust.decoder = decoders.Metaspace(prepend_scheme="always")
    else:
        rust = Rust(BPE())
        letters = pre_tokenizers.ByteLevel(add_prefix_space=False)
        rust.pre_tokenizer = pre_tokenizers.Sequence([*digits, letters]) if digits else letters
        rust.decoder = decoders.ByteLevel()
    if steps:
        rust.normalizer = normalizers.Sequence(steps)
    return rust


def _byte_pairs(how: Training) -> trainers.BpeTrainer:
    return trainers.BpeTrainer(
        vocab_size=how.size,
        min_frequency=how.min_frequency,
        special_tokens=specials(how),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )


def _word_pieces(texts: list[str], how: Training) -> WordPiece:
    """Train twice: once for the letters that stand inside words, then with those in a fixed order.

    The library numbers "##a", "##b" ... as it meets them in a table whose order changes from run to run, and ties
    between pairs are broken by number: without the first round the same texts give another vocabulary each time.
    """
    inside: list[str] = []
    numbers: dict[str, int] = {}
    for size in (1, how.size):  # nothing is learnt at size 1, but all letters are kept
        rust = _blank(how)
        trainer = trainers.WordPieceTrainer(
            vocab_size=size,
            min_frequency=how.min_frequency,
            special_tokens=[*specials(how), *inside],
            show_progress=False,
        )
        rust.train_from_iterator(texts, trainer=trainer)
        numbers = rust.get_vocab()
        inside = sorted(token for token in numbers if token.startswith("##") and len(token) == 3)
    return WordPiece(vocab=numbers, unk_token="[UNK]")


def _unigram(texts: Iterable[str], how: Training) -> Unigram:
    """Train, then give the scores and pieces the same form and order each time.

    The library adds up in an order that changes from run to run, which moves the last digits of a log-probability: four
    are kept. Letters that were pruned come back at the lowest score and 0.0001 more for each further one, in no fixed
    order: here they take these scores in the order of the alphabet.
    """
    fixed, rust = specials(how), _blank(how)
    trainer = trainers.UnigramTrainer(vocab_size=how.size, special_tokens=fixed, unk_token="<unk>", show_progress=False)
    rust.train_from_iterator(texts, trainer=trainer)
    rows = json.loads(rust.model.__getstate__())["vocab"]
    scores = {text: round(score, 4) for text, score in rows if text not in fixed}
    letters = sorted(text for text in scores if len(text) == 1)
    bound = min(scores.values(), default=0.0) + 0.0001 * len(letters)
    rare = [letter for letter in letters if scores[letter] <= bound]
    scores |= zip(rare, sorted((scores[letter] for letter in rare), reverse=True), strict=True)
    pieces = sorted(scores.items(), key=lambda row: (-row[1], row[0]))
    return Unigram([*((token, 0.0) for token in fixed), *pieces], unk_id=fixed.index("<unk>"), byte_fallback=False)


def _refuse_words(rust: Rust, how: Training) -> None:
    """Raise UserError where a special token is also a piece of plain text, from which it would then be left out.

    A unigram model finds its special tokens in any text; who encodes with it cuts them apart.
    """
    rust.encode_special_tokens = True
    for token in how.special:
        own = rust.get_vocab()[token]
        texts = {token, f" {token}", rust.decode([own], skip_special_tokens=False)}
        read = [text for text in texts if how.kind != "unigram" or token not in text]
        if any(own in rust.encode(text, add_special_tokens=False).ids for text in read):
            raise no_special(token)
    rust.encode_special_tokens = False


def _surround(rust: Rust, how: Training) -> None:
    """What stands around a text: BERT's [CLS] and [SEP], T5's </s>; nothing around a decoder's."""
    if how.kind == "bpe":
        return
    first, last = (["[CLS]"], "[SEP]") if how.kind == "wordpiece" else ([], "</s>")
    tokens = [(token, rust.token_to_id(token)) for token in (*first, last)]
    pair = [*first, "$A", last, "$B:1", f"{last}:1"]
    rust.post_processor = TemplateProcessing(single=[*first, "$A", last], pair=pair, special_tokens=tokens)


def _nothing() -> UserError:
    return UserError("there is no text to train a tokenizer on", "give files with text: dragoman vocab SOURCE")


def _crowded(how: Training, said: str) -> UserError:
    return UserError(
        f"a {how.kind} tokenizer of size {how.size:,} cannot be trained: {said}", "give more: how.size=16000"
    )
