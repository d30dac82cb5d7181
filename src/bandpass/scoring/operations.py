"""Floating-point operations of the pieces that models and neighbour searches are made of.

One multiply-add of a product of matrices is 2 operations. Elementwise work is counted an operation
an element for each addition, product, quotient, comparison and elementary function (exp, erf,
sqrt, sine, cosine), as the constants below say; moving, indexing and drawing numbers is none.
"""

from dataclasses import dataclass

SOFTMAX = 6
"""Of a score: scale, largest, difference, exp, sum, quotient; one more under a mask."""

NORM = 5
"""Of a layer norm: sum, difference, square, sum of squares, scale."""

AFFINE = 2
"""Its product and its sum."""

GELU = 5
"""Scale, erf, sum, two products."""

DISTANCE = 4
"""Of a prediction loss: difference, its size, product or comparison, sum."""

ADAMW = 13
"""Of a parameter: decay 1, first moment 3, second moment 4, its corrected root 3, move 2."""

CLIP = 3
"""Of a gradient: square, sum, scale."""

LERP = 3
"""Of a moving average: difference, product, sum."""

SEARCH = 3
"""Of a distance: two norms added, one comparison on the way to the k nearest."""

BACKWARD = 2
"""Of the forward pass: a gradient by the input and one by the weights."""

COMPLEX = 8
"""Of a complex multiply-add; a real one is 2."""

DIRECTIONS, KNOTS, POWERS = 256, 16, 4
"""Of SIGReg: directions, knots after the first, and its root, the powers that are built up."""


@dataclass(frozen=True)
class Flops:
    """Floating-point operations.

    Attributes:
        matmul: In products of matrices.
        elementwise: In all else.
    """

    matmul: float = 0.0
    elementwise: float = 0.0

    @property
    def total(self) -> float:
        """Both together."""
        return self.matmul + self.elementwise

    def __add__(self, other: "Flops") -> "Flops":
        return Flops(self.matmul + other.matmul, self.elementwise + other.elementwise)

    def __mul__(self, times: float) -> "Flops":
        return Flops(times * self.matmul, times * self.elementwise)

    __rmul__ = __mul__


def linear(rows: float, inputs: int, outputs: int) -> Flops:
    """A linear layer with its bias, over so many rows."""
    return Flops(2.0 * rows * inputs * outputs, rows * outputs)


def product(rows: float, inputs: int, outputs: int) -> Flops:
    """A product of matrices, (rows, inputs) by (inputs, outputs)."""
    return Flops(2.0 * rows * inputs * outputs)


def norm(elements: float) -> Flops:
    """Layer norm without affine."""
    return Flops(0.0, NORM * elements)


@dataclass(frozen=True)
class BlockSize:
    """What a transformer block is made of, as in `EncoderSettings` and `PredictorSettings`."""

    dim: int
    heads: int
    mlp: int


def attention(sequences: float, tokens: float, size: BlockSize, *, masked: bool = False) -> Flops:
    """Self-attention of every token of a sequence to every other.

    A mask spares nothing: what is not allowed is computed and then left out.
    """
    rows, scores = sequences * tokens, sequences * tokens * tokens
    mixed = product(scores, size.dim, 1) * 2  # scores, then values
    weighed = Flops(0.0, scores * size.heads * (SOFTMAX + masked))
    project = linear(rows, size.dim, 3 * size.dim) + linear(rows, size.dim, size.dim)
    return project + mixed + weighed


def block(sequences: float, tokens: float, size: BlockSize, *, masked: bool = False) -> Flops:
    """A pre-norm transformer block: two norms, attention, GELU MLP, two residual sums."""
    rows = sequences * tokens
    mlp = linear(rows, size.dim, size.mlp) + linear(rows, size.mlp, size.dim)
    around = Flops(0.0, rows * size.dim * 2 * (NORM + AFFINE + 1) + rows * size.mlp * GELU)
    return attention(sequences, tokens, size, masked=masked) + mlp + around


def neighbours(queries: float, entries: float, dim: int) -> Flops:
    """Distances of all queries to all entries by one product, and the search for the nearest."""
    return product(queries, dim, 1) * entries + Flops(0.0, SEARCH * queries * entries)


def heads_step(rows: float, weights: int) -> Flops:
    """A step of linear heads on detached features: forward, gradient by the weights, AdamW."""
    return product(rows, weights, 1) * 2 + Flops(0.0, ADAMW * weights)


def sigreg(windows: float, tokens: float, dim: int) -> tuple[Flops, Flops]:
    """Forward, which holds the derivative, and backward of SIGReg at its defaults.

    The samples of a token's place are the windows. Directions have no gradient, so backward is one
    product.
    """
    projections = DIRECTIONS * tokens * windows
    project = product(DIRECTIONS, dim, 1) * (tokens * windows)
    # Sums over the samples of every power, and the derivative at every sample.
    powers = Flops(2 * COMPLEX * POWERS**2 * projections)
    # Sine, cosine; three products each for low and high powers; product and sum of the derivative.
    around = Flops(0.0, projections * (2 + 6 * 6 + 8 * POWERS))
    return project + powers + around, project + Flops(0.0, projections)


def vicreg(windows: float, tokens: float, dim: int) -> tuple[Flops, Flops]:
    """Forward and backward of VICReg: a covariance over the windows for each token's place."""
    covariance = product(windows, dim, dim) * tokens
    around = Flops(0.0, tokens * (7 * windows * dim + 3 * dim * dim))  # moments; squares off them
    forward = covariance + around
    return forward, forward * BACKWARD
