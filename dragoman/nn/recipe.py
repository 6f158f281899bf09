"""What a tokenizer is to become: its kind, size and special tokens; the command line reads it without any library."""

from dataclasses import dataclass

from dragoman.core.config import nearest
from dragoman.core.errors import UserError

__all__ = ["CHATML", "KINDS", "Training", "no_special", "roles", "specials"]

KINDS = ("bpe", "wordpiece", "unigram")
NORMAL = ("", "none", "nfc", "nfkc")
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_CHAT = ("<|im_start|>", "<|im_end|>")
_ROLES = {
    "bpe": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|pad|>"},
    "wordpiece": {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    },
    "unigram": {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
}
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Training:
    """How a tokenizer is trained. Raises UserError where a setting is none that can be met."""

    kind: str = "bpe"
    "bpe (on bytes), wordpiece or unigram."
    size: int = 8000
    "How many tokens there are in all, the special ones included; a small text may give fewer."
    normalize: str = ""
    "none, nfc or nfkc (Unicode's normal forms); empty is what the kind usually does: nfkc for unigram, else none."
    lowercase: bool = False
    "Whether texts are read in lower case; what was written large cannot be told afterwards."
    min_frequency: int = 2
    "How often a pair must stand in the text to become a token; unigram has no such bound."
    single_digits: bool = True
    "Whether each digit is a token of its own, so that numbers are written the same wherever they stand."
    chat: bool = False
    "Whether there are tokens and a template for dialogues (ChatML)."
    special: tuple[str, ...] = ()
    "Special tokens of your own."
    reserved: int = 0
    "Special tokens without a meaning yet, so that a trained model's table of words need not grow."
    sentinels: int = 0
    "Tokens that stand for gaps in a text (<extra_id_0> ...), which the objective span needs; T5 has 100."

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(
                f"there is no kind of tokenizer named '{self.kind}'", f"{nearest(self.kind, KINDS)}; say how.kind=bpe"
            )
        if self.normalize not in NORMAL:
            raise UserError(
                f"there is no normal form '{self.normalize}'", "one of none, nfc, nfkc: say how.normalize=nfc"
            )
        if not 0 <= self.reserved <= 10_000:
            raise UserError(f"{self.reserved} reserved tokens cannot be", "give 0 to 10,000: how.reserved=16")
        if not 0 <= self.sentinels <= 10_000:
            raise UserError(f"{self.sentinels} sentinels cannot be", "give 0 to 10,000: how.sentinels=100")
        if self.min_frequency < 1:
            raise UserError(
                f"min_frequency={self.min_frequency} keeps nothing out", "give one or more: how.min_frequency=2"
            )
        wrong = next((token for token in self.special if not token.strip()), None)
        if wrong is not None or len(set(specials(self))) < len(specials(self)):
            raise UserError("one special token is empty or stands twice", 'give others: how.special=["<|tool|>"]')
        word = next((token for token in self.special if token.removeprefix("##").lstrip("\u2581").isalnum()), None)
        if word is not None:
            raise no_special(word)
        least = len(specials(self)) + (256 if self.kind == "bpe" else 2)
        if not least <= self.size <= _LARGEST:
            said = f"{least:,} tokens are there before anything is learnt" if self.size < least else "that is too many"
            raise UserError(f"size {self.size:,} cannot be: {said}", f"give {least:,} to {_LARGEST:,}: how.size=8000")


def no_special(token: str) -> UserError:
    """The mistake of a special token that is also a word: it would be left out of every text that has it."""
    said = f"the special token {token!r} is plain text too, and would vanish from every text that holds it"
    return UserError(said, 'write it as no text does: how.special=["<|tool|>"]')


def roles(how: Training) -> dict[str, str]:
    """The special tokens by their role; in a dialogue, the end of a turn ends an answer."""
    return _ROLES[how.kind] | ({"eos_token": _CHAT[1]} if how.chat else {})


def specials(how: Training) -> list[str]:
    """Every special token in the order of its id: roles, dialogue, the user's own, reserved ones, and sentinels, whose
    ids count down as in T5."""
    reserved = [f"<|reserved_{number}|>" for number in range(how.reserved)]
    reserved += [f"<extra_id_{number}>" for number in reversed(range(how.sentinels))]
    usual = dict.fromkeys(_ROLES[how.kind].values())
    return [*usual, *(_CHAT if how.chat else ()), *how.special, *reserved]
