"""Shape aliases, checked at test time by jaxtyping and beartype, plain tensors otherwise."""

from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

if TYPE_CHECKING:
    Windows: TypeAlias = Tensor
    Observed: TypeAlias = Tensor
    Tokens: TypeAlias = Tensor
    VisibleTokens: TypeAlias = Tensor
    HiddenTokens: TypeAlias = Tensor
    HiddenLatents: TypeAlias = Tensor
    HiddenErrors: TypeAlias = Tensor
    TokenIndex: TypeAlias = Tensor
    VisibleIndex: TypeAlias = Tensor
    HiddenIndex: TypeAlias = Tensor
    Allowed: TypeAlias = Tensor
    Asked: TypeAlias = Tensor
    Embeddings: TypeAlias = Tensor
    Vectors: TypeAlias = Tensor
    PerSample: TypeAlias = Tensor
    Scalar: TypeAlias = Tensor
else:
    try:
        from jaxtyping import Bool, Float, Int
    except ImportError:  # an installed user has no jaxtyping: the aliases stay documentation
        Windows = Observed = Tokens = VisibleTokens = HiddenTokens = Embeddings = Tensor
        HiddenLatents = HiddenErrors = TokenIndex = VisibleIndex = HiddenIndex = Tensor
        Vectors = PerSample = Scalar = Allowed = Asked = Tensor
    else:
        Windows = Float[Tensor, "batch time channels"]
        Observed = Bool[Tensor, "batch time channels"]
        Tokens = Float[Tensor, "batch tokens dim"]
        VisibleTokens = Float[Tensor, "batch visible dim"]
        HiddenTokens = Float[Tensor, "batch hidden width"]
        HiddenLatents = Float[Tensor, "batch hidden latent"]
        HiddenErrors = Float[Tensor, "batch hidden"]
        TokenIndex = Int[Tensor, "batch chosen"]
        VisibleIndex = Int[Tensor, "batch visible"]
        HiddenIndex = Int[Tensor, "batch hidden"]
        Allowed = Bool[Tensor, "batch 1 tokens tokens"]
        Asked = Float[Tensor, "batch questions 2 text"]
        Embeddings = Float[Tensor, "batch dim"]
        Vectors = Float[Tensor, "... samples dim"]
        PerSample = Float[Tensor, " batch"]
        Scalar = Float[Tensor, ""]
