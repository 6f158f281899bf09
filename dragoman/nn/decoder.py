"""The decoder from scratch: a stack that reads what is before each token and says which token comes next."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dragoman.nn.arch import Arch
from dragoman.nn.attention import Sight
from dragoman.nn.blocks import Block
from dragoman.nn.cache import Cache
from dragoman.nn.embeddings import Embeddings
from dragoman.nn.norms import make_norm
from dragoman.nn.prompted import Front
from dragoman.nn.recompute import run_block
from dragoman.nn.segments import place_documents, share_source, told_apart
from dragoman.nn.sights import Sights
from dragoman.nn.slots import Slots
from dragoman.nn.updates import Choice

__all__ = ["Decoder"]


class Decoder(nn.Module):
    """A causal language model (GPT, Radford et al. 2018), or the half of an encoder-decoder that writes.

    Token t never sees what comes after it, so one pass over a text gives the prediction at every place.
    """

    def __init__(self, arch: Arch, words: nn.Embedding | None = None) -> None:
        super().__init__()
        crossed = arch.kind == "encoder-decoder"
        self.arch = arch
        self.embeddings = Embeddings(arch, words)
        self.sights = Sights(arch, causal=True)
        layers = arch.decoder_layers if crossed else arch.layers
        wide = arch.decoder_feed_forward if crossed else 0
        self.blocks = nn.ModuleList(Block(arch, crossed, wide) for _ in range(layers))
        self.norm = make_norm(arch) if arch.final_norm else None
        self.last_dropout = nn.Dropout(arch.dropout if crossed and arch.final_norm else 0.0)
        self.head = nn.Linear(arch.width, arch.vocabulary, bias=arch.head_bias)
        if arch.tied:  # the same table reads words and predicts them (Press and Wolf 2017)
            self.head.weight = self.embeddings.words.weight
        self.front: Front | None = None
        "the learnt places in front of every text, where a tuning put them there"
        self.choice: Choice | None = None
        "which adapter each row of the batch being written uses, where several share the net (see nn.updates)"
        self.value: nn.Linear | None = None
        "what says how good the text will be, while a policy learns (see train.critic)"
        self.recompute = False
        "whether blocks are computed once more for the gradients instead of kept (see nn.recompute)"
        self.unused: tuple[str, ...] = ()
        "tensors of the folder it was loaded from that hold nothing needed (filled by nn.store)"

    def forward(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b s"] | None = None,
        cache: Cache | Slots | None = None,
        source: Float[Tensor, "b t w"] | None = None,
        source_mask: Bool[Tensor, "b t"] | None = None,
        segments: Int[Tensor, "b s"] | None = None,
        source_segments: Int[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b s v"]:
        """The logits of the next token after each token, of shape [texts, tokens, vocabulary].

        `mask` is True on the text and False on the padding, on either side; None: there is none. With a `cache`, `ids`
        go on where it stands, and the mask is given with the first ids alone. `source` is what an encoder read.
        `segments` pack several documents into a row: equal neighbours are one, whose positions begin at 0 and which
        sees itself alone, and of the source what `source_segments` gives the same number; no number comes back later
        in a row. Raises UserError where a document is longer than the model has positions, and ValueError where there
        are segments and a mask or a cache.
        """
        return self.predict(self.states(ids, mask, cache, source, source_mask, segments, source_segments))

    def states(
        self,
        ids: Int[Tensor, "b s"],
        mask: Bool[Tensor, "b s"] | None = None,
        cache: Cache | Slots | None = None,
        source: Float[Tensor, "b t w"] | None = None,
        source_mask: Bool[Tensor, "b t"] | None = None,
        segments: Int[Tensor, "b s"] | None = None,
        source_segments: Int[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b s w"]:
        """The state of every token in front of the prediction, arguments as in `forward`."""
        laid = (
            None if self.front is None or (cache is not None and cache.length) else self.front.lay(ids, mask, segments)
        )
        mask, segments = (mask, segments) if laid is None else (laid.mask, laid.segments)  # [b, n] each
        across = Sight(mask=share_source(source_mask, segments, source_segments))
        segments = told_apart(segments, mask, cache)  # [b, s]
        if segments is not None:
            places = place_documents(segments, self.arch, self.ahead)  # [b, s]
        else:
            places, mask = self._places(ids if laid is None else laid.slots, mask, cache)  # [b or 1, s], [b, k]
        states: Tensor = self.embeddings(ids, places, laid=laid)  # [b, s, w]
        sights = self.sights(places, mask, states.dtype, cache, segments)
        sights = sights if self.front is None or laid is None else self.front.show(sights, laid)
        for layer, (block, sight) in enumerate(zip(self.blocks, sights, strict=True)):
            held = None if cache is None else cache.layers[layer]
            heard = cache.sources[layer] if cache is not None and cache.sources else None
            states = run_block(block, self.recompute, states, sight, None, held, source, across, heard)  # [b, s, w]
        if cache is not None:
            cache.advance(states.shape[1])
        states = states if laid is None else laid.narrow(states)  # [b, s, w]
        if self.norm is not None:
            states = self.norm(states)  # [b, s, w]
        dropped: Tensor = self.last_dropout(states)  # [b, s, w]
        return dropped

    @property
    def ahead(self) -> int:
        """How many learnt places stand in front of every text, which a cache has to hold too."""
        return 0 if self.front is None else self.front.count

    def refine(self, states: Float[Tensor, "*b w"]) -> Float[Tensor, "*b w"]:
        """What the matrix of words, `head`, multiplies: a loss that never holds all logits chooses its rows of this."""
        return states if self.arch.logit_scale == 1.0 else states * self.arch.logit_scale  # [..., w]

    def predict(self, states: Float[Tensor, "*b w"]) -> Float[Tensor, "*b v"]:
        """The logits of the next token that states predict."""
        logits: Tensor = self.head(self.refine(states))  # [..., v]
        return logits

    def _places(
        self, ids: Int[Tensor, "b s"], mask: Bool[Tensor, "b s"] | None, cache: Cache | Slots | None
    ) -> tuple[Tensor, Tensor | None]:
        """Where the tokens stand, padding not counted, and which keys are text."""
        if cache is not None:
            return cache.enter(ids.shape[1], mask)
        self.arch.require(ids.shape[1] - self.ahead)
        if mask is not None and mask.device.type == "cpu" and bool(mask.all()):  # a GPU would have to be waited for
            mask = None
        if mask is None:
            return torch.arange(ids.shape[1], device=ids.device)[None], None  # [1, s]
        return (mask.cumsum(1) - 1).clamp(min=0), mask  # [b, s]
