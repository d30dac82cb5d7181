import pytest
import torch

from bandpass.losses import CollapseTerms, collapse_terms, collapse_warning

BATCH, TIME, DIM = 32, 96, 64
NAMES = CollapseTerms._fields


def healthy() -> torch.Tensor:
    return torch.randn(BATCH, TIME, DIM, generator=torch.Generator().manual_seed(0))


def same_for_every_sample() -> torch.Tensor:
    return healthy()[:1].expand(BATCH, TIME, DIM)


def constant_in_time() -> torch.Tensor:
    return healthy()[:, :1].expand(BATCH, TIME, DIM)


def shrunk() -> torch.Tensor:
    return 0.01 * healthy()


def ornstein_uhlenbeck(rho: float) -> torch.Tensor:
    tokens = healthy()
    for step in range(1, TIME):
        tokens[:, step] = rho * tokens[:, step - 1] + (1 - rho**2) ** 0.5 * tokens[:, step]
    return tokens


def test_healthy_tokens_score_zero():
    terms = collapse_terms(healthy())
    assert max(abs(term) for term in terms) < 0.01
    assert collapse_warning(terms) is None


@pytest.mark.parametrize(
    ("tokens", "guilty", "score", "words"),
    [
        (same_for_every_sample(), "position", 1.0, "same for every sample"),
        (constant_in_time(), "sample", 1.0, "constant in time"),
        (shrunk(), "scale", 4.605, "scale of the tokens"),
    ],
    ids=["same for every sample", "constant in time", "shrunk"],
)
def test_each_collapse_is_seen_by_its_own_term_only(tokens, guilty, score, words):
    terms = collapse_terms(tokens)
    for name, term in zip(NAMES, terms, strict=True):
        assert float(term) == pytest.approx(score if name == guilty else 0.0, abs=0.05)
    warning = collapse_warning(terms)
    assert warning is not None
    assert words in warning
    assert [name for name in NAMES if f"({name} " in warning] == [guilty]


def test_a_warning_names_every_collapsed_axis():
    warning = collapse_warning(collapse_terms(0.01 * same_for_every_sample()))
    assert warning is not None
    assert "same for every sample" in warning
    assert "scale" in warning
    assert "constant in time" not in warning


def test_slow_but_healthy_tokens_pass():
    terms = collapse_terms(ornstein_uhlenbeck(0.9))
    assert float(terms.sample) == pytest.approx(0.11, abs=0.02)
    assert collapse_warning(terms) is None


def test_scale_is_symmetric_and_ignores_an_offset():
    up = collapse_terms(100.0 * healthy() + 7.0)
    down = collapse_terms(0.01 * healthy())
    assert float(up.scale) == pytest.approx(float(down.scale), abs=0.01)
    assert float(up.position) == pytest.approx(float(down.position), abs=1e-3)


def test_dead_tokens_warn():
    warning = collapse_warning(collapse_terms(torch.full((4, 8, 16), 3.0)))
    assert warning is not None
    assert "scale" in warning


def test_not_a_number_warns():
    tokens = healthy()
    tokens[0, 0, 0] = torch.nan
    assert collapse_warning(collapse_terms(tokens)) is not None


@pytest.mark.parametrize("shape", [(1, 8, 4), (8, 1, 4)])
def test_too_few_samples_or_tokens_are_refused(shape):
    with pytest.raises(ValueError, match="at least 2 samples of 2 tokens"):
        collapse_terms(torch.zeros(shape))


def test_takes_half_precision_and_leaves_no_graph():
    tokens = healthy().bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = collapse_terms(tokens)
    assert all(term.dtype == torch.float32 and not term.requires_grad for term in terms)
    assert max(abs(term) for term in terms) < 0.01
