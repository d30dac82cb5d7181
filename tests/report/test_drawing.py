"""Figures: readable colours, ids of their own, text that stays text."""

import re

import numpy as np
import pytest

from bandpass.report.drawing import TOKENS, class_token, panel, smooth, thin, to_svg

LIGHT_CARD, DARK_CARD = "#ffffff", "#1b1e24"


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("token", sorted(TOKENS.keys() - {"grid"}))
def test_colours_stand_out_on_both_grounds(token: str) -> None:
    least = 4.5 if token in ("ink", "muted") else 3.0  # text, graphics: WCAG 1.4.3 and 1.4.11
    light, dark = TOKENS[token]
    assert contrast(light, LIGHT_CARD) >= least
    assert contrast(dark, DARK_CARD) >= least


def test_no_colour_is_left_that_cannot_follow_the_scheme() -> None:
    with panel() as (figure, axes):
        axes.plot([0, 1], [0, 1], label="a line")
        axes.set(xlabel="x", ylabel="y")
        svg = to_svg(figure, "one")
    colours = set(re.findall(r"(?:fill|stroke): (#\w+)", svg))
    assert colours <= {"#1f77b4", "#000000"}  # the line above, drawn without a token
    assert "var(--muted)" in svg


def test_two_figures_share_no_id_and_names_are_no_markup() -> None:
    drawn = []
    for label in ("one", "two <&>"):
        with panel() as (figure, axes):
            axes.plot([0, 1], [0, 1], marker="o")
            axes.set_xlabel("$x <b>")
            drawn.append(to_svg(figure, label))
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in drawn]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert "$x &lt;b&gt;" in drawn[0]
    assert 'aria-label="two &lt;&amp;&gt;"' in drawn[1]


def test_the_commonest_class_is_neutral_and_the_others_repeat_hues() -> None:
    assert class_token(0) == "c0"
    assert [class_token(i) for i in (1, 9, 10)] == ["c1", "c9", "c1"]


def test_smoothing_drops_a_spike_and_keeps_a_step() -> None:
    values = np.repeat([0.0, 1.0], 200)
    spiked = values.copy()
    spiked[50] = 9
    np.testing.assert_array_equal(smooth(spiked), values)
    np.testing.assert_array_equal(smooth(np.array([3.0, 1.0])), [3.0, 1.0])


def test_thinning_keeps_both_ends() -> None:
    few = thin(10_000, 100)
    assert len(few) == 100
    assert (few[0], few[-1]) == (0, 9999)
    assert thin(3).tolist() == [0, 1, 2]
