"""Figures as inline SVG whose colours follow the reader's colour scheme.

Every colour a figure uses is a token with a light and a dark value. Matplotlib draws with the
light value; :func:`to_svg` then writes the token's CSS variable in its place, so that one figure
reads well in both schemes.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Hues after Okabe and Ito, "Color Universal Design" (2008), darkened for white paper and
# lightened for dark; "c0" is the neutral that the commonest class takes.
TOKENS: dict[str, tuple[str, str]] = {
    "ink": ("#22252a", "#e4e6ea"),
    "muted": ("#5f6670", "#a3abb6"),
    "grid": ("#e3e1dc", "#2f343c"),
    "band": ("#c77700", "#f2a93b"),
    "warn": ("#c2262e", "#ff7b78"),
    "c0": ("#737b87", "#949daa"),
    "c1": ("#0b6fb8", "#5aaef2"),
    "c2": ("#cf5200", "#ff8f50"),
    "c3": ("#00845f", "#35c795"),
    "c4": ("#b04a93", "#e694cc"),
    "c5": ("#94740a", "#dcbc33"),
    "c6": ("#2391ad", "#7fd8ea"),
    "c7": ("#7a4a2b", "#c79d80"),
    "c8": ("#5b4bbd", "#a99bff"),
    "c9": ("#66770f", "#b4c84a"),
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GLYPHS = ("●", "■", "▲", "◆", "▼", "✚", "✖", "★")
CLASS_COLOURS = 9
STYLE = {
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.edgecolor": TOKENS["muted"][0],
    "axes.labelcolor": TOKENS["muted"][0],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": TOKENS["grid"][0],
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "text.color": TOKENS["ink"][0],
    "xtick.color": TOKENS["muted"][0],
    "ytick.color": TOKENS["muted"][0],
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.parse_math": False,  # names come from the data: a dollar sign is a dollar sign
    "svg.fonttype": "none",
}
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def colour(token: str) -> str:
    """The colour to hand to matplotlib for ``token``."""
    return TOKENS[token][0]


def class_token(position: int) -> str:
    """Colour token of the class at ``position``; 0 is the neutral, the rest repeat by 9."""
    return "c0" if position == 0 else f"c{1 + (position - 1) % CLASS_COLOURS}"


@contextmanager
def panel(width: float = 4.3, height: float = 2.6) -> Iterator[tuple["Figure", "Axes"]]:
    """One axes in the page's style, ``width`` x ``height`` inches; no global state is left."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()


def smooth(values: np.ndarray) -> np.ndarray:
    """Running median over a fortieth of the points, so that one spike stays one spike."""
    half = len(values) // 80
    if half == 0:
        return values
    padded = np.pad(values, half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.median(windows, axis=1)


def thin(count: int, most: int = 600) -> np.ndarray:
    """At most ``most`` evenly spaced positions of ``count``, ends kept."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def to_svg(figure: "Figure", label: str) -> str:
    """Render ``figure`` as inline SVG: scalable, labelled, ids of its own, colours by token.

    Args:
        figure: A figure drawn inside :func:`panel`.
        label: What the figure shows, in words, for those who cannot see it; unique on the page.
    """
    import matplotlib as mpl

    salt = "f" + hashlib.sha256(label.encode()).hexdigest()[:10]
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.S)
    text = _own_ids(text, salt)
    for token, (light, _) in TOKENS.items():
        text = text.replace(light, f"var(--{token})")
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None  # matplotlib always writes one
    return (
        f'<svg {box[0]} role="img" aria-label="{escape(label)}" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">{body.strip()}'
    )


def _own_ids(text: str, salt: str) -> str:
    """Keep only the ids that are referred to, and make them unlike those of other figures."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{salt}-{m[1]}"' if m[1] in used else "", text)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{salt}-", text)


def percent_axis(axis: "Axis") -> None:
    """Label an axis of shares in percent, plainly (``0.5%``, ``20%``)."""
    axis.set_major_formatter(lambda value, _: f"{100 * value:.6g}%")


def by_share(names: np.ndarray, shares: np.ndarray) -> list[str]:
    """Class names in palette order: commonest first, ties by name."""
    pairs = zip(names.tolist(), shares.tolist(), strict=True)
    return [name for name, _ in sorted(pairs, key=lambda pair: (-pair[1], pair[0]))]
