"""Multi-head attention: every token asks all tokens a question, and takes in a mixture of their answers."""

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from dragoman.nn.arch import Arch

__all__ = ["Attention"]


class Attention(nn.Module):
    """softmax(Q K^T / sqrt(d)) V in several heads at once (Vaswani et al. 2017, "Attention is all you need").

    The four projections are modules of their own, so that a tuning (LoRA, say) can take the place of any of them.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.heads = arch.heads
        self.dropout = arch.attention_dropout
        self.query = nn.Linear(arch.width, arch.width)
        self.key = nn.Linear(arch.width, arch.width)
        self.value = nn.Linear(arch.width, arch.width)
        self.output = nn.Linear(arch.width, arch.width)

    def forward(
        self,
        states: Float[Tensor, "b s w"],
        visible: Bool[Tensor, "b 1 1 s"] | None = None,
        wanted: int | None = None,
    ) -> Float[Tensor, "b q w"]:
        """What each token learns from the others.

        `visible` is True where a token may be looked at, None where all may: without a mask the kernel is faster.
        `wanted` asks for the first so many positions alone (all still answer), which is what a classifier needs.
        """
        asking = states if wanted is None else states[:, :wanted].contiguous()  # [b, q, w]
        query = self._split(self.query(asking))  # [b, h, q, d]
        key = self._split(self.key(states))  # [b, h, s, d]
        value = self._split(self.value(states))  # [b, h, s, d]
        mixed = scaled_dot_product_attention(  # scales by 1 / sqrt(d) itself
            query, key, value, attn_mask=visible, dropout_p=self.dropout if self.training else 0.0
        )  # [b, h, q, d]
        joined = mixed.transpose(1, 2).flatten(2)  # [b, q, w]
        answer: Tensor = self.output(joined)  # [b, q, w]
        return answer

    def _split(self, states: Float[Tensor, "b s w"]) -> Float[Tensor, "b h s d"]:
        texts, tokens, width = states.shape
        return states.view(texts, tokens, self.heads, width // self.heads).transpose(1, 2)
