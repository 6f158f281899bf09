"""The shape of a transformer, whatever its publisher calls it: every number that is needed to build one."""

from dataclasses import dataclass

from dragoman.core.errors import UserError

__all__ = ["ACTIVATIONS", "KINDS", "POSITIONS", "Arch", "Rope"]

KINDS = ("encoder", "decoder", "encoder-decoder")
ACTIVATIONS = ("gelu", "gelu_tanh", "relu", "silu")
NORMS = ("layer", "rms")
PLACES = ("after", "before", "around")
POSITIONS = ("learned", "sinusoidal", "rotary", "relative", "alibi", "none")
SCALINGS = ("none", "linear", "llama3", "yarn")
_KNOWN: dict[str, tuple[str, ...]] = {
    "kind": KINDS,
    "activation": ACTIVATIONS,
    "position": POSITIONS,
    "norm": NORMS,
    "norm_place": PLACES,
}

_LARGEST = 1 << 28  # beyond it, the size of a table no longer fits the numbers that count its bytes
_MOST_LAYERS = 1 << 20  # a list of what each layer is must be made before the weights are looked at
_BELONG = "give a folder whose config.json was published with its weights in models.candidates"


@dataclass(frozen=True)
class Rope:
    """How fast rotary positions turn (Su et al. 2021), and how they are stretched over texts longer than in training.

    Raises UserError where the numbers make no rotation.
    """

    theta: float = 10_000.0
    "the slowest pair turns once in about 2 pi theta tokens; 5e5 in Llama 3"
    scaling: str = "none"
    "none, linear (Chen et al. 2023), llama3 (Dubey et al. 2024) or yarn (Peng et al. 2023)"
    factor: float = 1.0
    "how many times longer texts became"
    original: int = 0
    "tokens of a text in the first training; needed by llama3 and yarn"
    low: float = 1.0
    "llama3: pairs that turn less often than this in the original length are slowed by the whole factor"
    high: float = 4.0
    "llama3: pairs that turn more often than this are left alone"
    beta_fast: float = 32.0
    "yarn: pairs that turn more often than this in the original length are left alone"
    beta_slow: float = 1.0
    "yarn: pairs that turn less often than this are slowed by the whole factor"
    attention: float = 0.0
    "yarn: what both rotated sides are multiplied by; 0 is 0.1 ln(factor) + 1"
    truncate: bool = True
    "yarn: whether the borders between pairs are rounded to whole pairs"

    def __post_init__(self) -> None:
        if self.scaling not in SCALINGS:
            raise UserError(f"there is no rope scaling named '{self.scaling}'", f"known: {', '.join(SCALINGS)}")
        stretched = self.scaling in ("llama3", "yarn")
        turns = self.theta > 0 and self.factor > 0 and self.high > self.low
        counted = not stretched or 1 <= self.original <= _LARGEST
        ramp = self.scaling != "yarn" or (self.theta > 1 and self.beta_fast > 0 and self.beta_slow > 0)
        if not (turns and counted and ramp):
            raise UserError("the rope settings of config.json make no rotation", _BELONG)


@dataclass(frozen=True)
class Arch:
    """A transformer's shape. Two models with equal Arch have the same tensors, name by name.

    Raises UserError where the numbers cannot make a model (a width that the heads do not divide, a size below one).
    """

    family: str
    "which published architecture it is: bert, gpt2, llama, t5, ..."
    vocabulary: int
    "rows of the table of words"
    width: int
    "numbers that describe one token, between blocks"
    layers: int
    "blocks; of the encoder alone where there are two stacks"
    heads: int
    "attention heads a block, each asking its own question"
    feed_forward: int
    "width inside the feed-forward part, usually 4 x width"
    positions: int
    "the most tokens of a text; rows of the table where positions are learned, some of them never used"
    kind: str = "encoder"
    "encoder, decoder or encoder-decoder"
    decoder_layers: int = 0
    "blocks of the decoder of an encoder-decoder"
    decoder_feed_forward: int = 0
    "width inside the decoder's feed-forward part; 0 is feed_forward"

    kv_heads: int = 0
    "heads that answer; 0 is one for each that asks (MHA), 1 is one for all (MQA), between them groups share (GQA)"
    head_width: int = 0
    "numbers a head sees; 0 is width / heads"
    attention_bias: bool = True
    "whether query, key and value add a bias"
    output_bias: bool = True
    "whether the output of attention adds a bias"
    attention_scale: float = 0.0
    "what query times key is multiplied by; 0 is 1 / sqrt(head_width), 1 in T5"
    head_norm: bool = False
    "whether each head's query and key are normalised (Qwen3, Gemma 3)"
    window: int = 0
    "how many tokens back a token may look; 0 is all"
    windowed: tuple[bool, ...] = ()
    "which layers have the window; () is all of them"

    norm: str = "layer"
    "layer (Ba et al. 2016) or rms (Zhang and Sennrich 2019)"
    norm_place: str = "after"
    "after each half (post-LN, BERT), before it (pre-LN, GPT-2), or around it (before and after, Gemma 3)"
    norm_eps: float = 1e-12
    "what is added to the variance; 1e-5 instead of 1e-12 moves BERT's logits by 1e-3"
    norm_shift: float = 0.0
    "what is added to the gains: 1 in Gemma, which saves them as distances from 1"
    final_norm: bool = False
    "whether the last block's states are normalised once more"

    position: str = "learned"
    "learned, sinusoidal, rotary, relative (T5), alibi or none"
    position_offset: int = 0
    "the row of the first token: 0, but pad_id + 1 in RoBERTa and 2 in BART, whose first rows no token uses"
    rope: Rope = Rope()
    "rotary: how fast positions turn"
    window_rope: Rope | None = None
    "rotary: how fast they turn in layers with a window, where that differs (Gemma 3)"
    buckets: int = 32
    "relative: rows of the table of distances"
    bucket_reach: int = 128
    "relative: the distance from which on all are alike"

    token_types: int = 2
    "rows of the table of sentence A / sentence B; 0 where the family has none"
    embedding_scale: float = 1.0
    "what the words' vectors are multiplied by: sqrt(width) in Gemma and in the first transformer"
    embedding_norm: bool = True
    "whether the states that enter the first block are normalised (BERT, BART)"

    activation: str = "gelu"
    "gelu is the exact one (erf); gelu_tanh is the approximation: they are not the same model"
    gated: bool = False
    "whether a second matrix decides what passes the bend (GEGLU, SwiGLU; Shazeer 2020)"
    feed_forward_bias: bool = True
    "whether the feed-forward part adds biases"

    tied: bool = True
    "whether the words' table is also the matrix that predicts words"
    head_bias: bool = False
    "whether the prediction of words adds a bias"
    logit_scale: float = 1.0
    "what the states are multiplied by in front of the prediction: width^-0.5 in T5 1.0"

    dropout: float = 0.1
    "share of the states dropped in training"
    attention_dropout: float = 0.1
    "share of the attention weights dropped in training"
    head_dropout: float = 0.1
    "share of the states dropped in front of the classifier in training"
    head_activation: str = "tanh"
    "what stands between the two layers of the classification head: tanh, or relu in DistilBERT"
    head_drops_first: bool = False
    "whether the head also drops states in front of its first layer, as RoBERTa's does"
    pad_id: int = 0
    "the token that fills short rows"
    start_id: int = 0
    "the token an encoder-decoder's answer starts with"
    initial_std: float = 0.02
    "spread of fresh weights (BERT, Devlin et al. 2018)"

    def __post_init__(self) -> None:
        for name in ("vocabulary", "width", "layers", "heads", "feed_forward", "positions"):
            if not 1 <= getattr(self, name) <= _LARGEST:
                raise UserError(f"a model with {name} = {getattr(self, name)} cannot be built", _BELONG)
        for name in ("decoder_layers", "decoder_feed_forward", "token_types", "window", "norm_eps", "attention_scale"):
            if not 0 <= getattr(self, name) <= _LARGEST:
                raise UserError(f"a model with {name} = {getattr(self, name)} cannot be built", _BELONG)
        if max(self.layers, self.decoder_layers) > _MOST_LAYERS:
            raise UserError(f"a model with {max(self.layers, self.decoder_layers)} layers cannot be built", _BELONG)
        for name in ("dropout", "attention_dropout", "head_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"a share of {getattr(self, name)} cannot be dropped ({name})", _BELONG)
        if self.position == "relative" and not 2 <= self.buckets // 2 < self.bucket_reach <= _LARGEST:
            raise UserError(f"{self.buckets} buckets cannot hold distances up to {self.bucket_reach}", _BELONG)
        self._check_heads()
        for name, known in _KNOWN.items():
            if getattr(self, name) not in known:
                raise UserError(f"there is no {name} named '{getattr(self, name)}'", f"known: {', '.join(known)}")
        for name in ("pad_id", "start_id"):
            if not 0 <= getattr(self, name) < self.vocabulary:
                said = {"pad_id": "padding", "start_id": "first"}[name]
                raise UserError(
                    f"the {said} token {getattr(self, name)} is outside a vocabulary of {self.vocabulary}", _BELONG
                )
        if self.longest < 1:
            raise UserError(f"{self.positions} positions that start at {self.position_offset} are none", _BELONG)
        if (self.kind == "encoder-decoder") != (self.decoder_layers > 0):
            raise UserError(f"a model of kind {self.kind} cannot have {self.decoder_layers} decoder layers", _BELONG)

    def _check_heads(self) -> None:
        if not self.head_width and self.width % self.heads:
            raise UserError(f"{self.heads} attention heads cannot share a width of {self.width}", _BELONG)
        if self.kv_heads < 0 or self.heads % (self.kv_heads or 1):
            raise UserError(f"{self.heads} attention heads cannot share {self.kv_heads} heads that answer", _BELONG)
        if not 0 <= self.head_width <= _LARGEST:
            raise UserError(f"a model with head_width = {self.head_width} cannot be built", _BELONG)
        if self.position == "rotary" and self.head_size % 2:
            raise UserError(f"rotary positions turn pairs, and a head of {self.head_size} is odd", _BELONG)
        if self.windowed and len(self.windowed) != self.layers:
            raise UserError(f"{len(self.windowed)} layers are told about the window, there are {self.layers}", _BELONG)

    @property
    def longest(self) -> int:
        """The most tokens a text may have, special tokens included."""
        return self.positions - (self.position_offset if self.position == "learned" else 0)

    @property
    def head_size(self) -> int:
        """Numbers that one head sees of a token."""
        return self.head_width or self.width // self.heads

    @property
    def groups(self) -> int:
        """Heads that answer."""
        return self.kv_heads or self.heads

    def reach(self, layer: int) -> int:
        """How many tokens back a token of that layer may look; 0 is all."""
        return self.window if not self.windowed or self.windowed[layer] else 0

    def require(self, length: int) -> None:
        """Raise UserError where a text of `length` tokens has no position left to stand on."""
        if length > self.longest:
            raise UserError(
                f"max_length is {length} tokens, but this model has positions for {self.longest}",
                f"read less: models.max_length={self.longest}, or choose another model in models.candidates",
            )
