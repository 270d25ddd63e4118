"""One HTML file that needs nothing else: pictures are inside."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import cv2

from livecam.datatypes import Image
from livecam.document import document
from train.plots import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
body { max-width: 1200px; }
summary { break-after: avoid; } nav, .note { margin: .8rem 0; }
table { margin: .8rem 0; } th { white-space: normal; } tbody th { min-width: 7rem; }
.note { border-left: 4px solid var(--second); padding-left: .8rem; color: var(--ink); }
.row { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; margin-top: .8rem; }
.row > .wide { position: static; transform: none; min-width: 0; }
figure { margin: 0 0 1rem; max-width: 100%; break-inside: avoid; }
figure svg { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .85rem; max-width: 34rem; color: var(--soft); }
.face { box-sizing: border-box; width: 17rem; border: 1px solid var(--line); border-radius: 6px;
        padding: .5rem; break-inside: avoid; font-size: .85rem; }
.face svg text { font-size: 9px; }
.face img { width: 7.8rem; height: 7.8rem; display: inline; margin: 0; }
.face .name { overflow-wrap: anywhere; color: var(--soft); font-size: .75rem; }
@media print { .face { width: 14.5rem; font-size: .7rem; } .face svg { max-width: 100%; }
  .face img { width: 6.6rem; height: 6.6rem; } }
"""


@dataclass(frozen=True)
class Section:
    """`parts` are HTML made by the functions of this module."""

    title: str
    parts: Sequence[str]


def page(title: str, intro: Iterable[str], sections: Sequence[Section]) -> str:
    """The whole file."""
    links = " ".join(f'<a href="#{_anchor(s.title)}">{escape(s.title)}</a>' for s in sections)
    parts = [
        f'<section><h2 id="{_anchor(s.title)}">{escape(s.title)}</h2>\n'
        + "\n".join(s.parts)
        + "</section>"
        for s in sections
    ]
    return document(title, [*intro, f"<nav>{links}</nav>", *parts], style=STYLE)


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower())


def text(words: str) -> str:
    return f"<p>{escape(words)}</p>"


def note(words: str) -> str:
    return f'<p class="note">{escape(words)}</p>'


def row(*parts: str) -> str:
    """Side by side, as far as there is room."""
    return f'<div class="row">{"".join(parts)}</div>'


def foldable(summary: str, *parts: str) -> str:
    return f"<details open><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def drawing(figure: Figure, caption: str = "") -> str:
    """The figure as SVG inside the page, its ink in the page's colour of text."""
    buffer = io.StringIO()
    no_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg).replace(INK, "currentColor")
    note = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{svg}{note}</figure>"


def picture(rgb: Image, meaning: str) -> str:
    """(H, W, 3) RGB as a JPEG inside the page."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    data = base64.b64encode(encoded).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{escape(meaning)}">'


def card(*parts: str) -> str:
    """A face with what is said about it."""
    return f'<div class="face">{"".join(parts)}</div>'


def sparkline(values: Sequence[float], marks: Sequence[tuple[float, float, str]]) -> str:
    """A small curve over 0..n-1; each mark is a vertical stripe (from, to, colour)."""
    width, height = 240, 46
    step = width / max(1, len(values) - 1)
    top = max(max(values), 1e-9)
    points = " ".join(
        f"{i * step:.1f},{height - 2 - (height - 6) * value / top:.1f}"
        for i, value in enumerate(values)
    )
    stripes = "".join(
        f'<rect x="{low * step - 1:.1f}" y="0" width="{(high - low) * step + 2:.1f}" '
        f'height="{height}" fill="{escape(colour)}" fill-opacity="0.6"/>'
        for low, high, colour in marks
    )
    ticks = "".join(
        f'<text x="{min(max(year * step, 4), width - 10):.0f}" y="{height + 11}" font-size="9" '
        f'text-anchor="middle" fill="currentColor">{year}</text>'
        for year in range(0, len(values), 20)
    )
    return (
        f'<svg width="{width}" height="{height + 14}" viewBox="0 0 {width} {height + 14}" '
        f'role="img">{stripes}<polyline points="{points}" fill="none" stroke="currentColor" '
        f'stroke-width="1.5"/>{ticks}</svg>'
    )
