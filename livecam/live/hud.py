"""What lies on the picture besides the faces: figures, help, messages, a face's distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from livecam.ages import AgeScheme
from livecam.datatypes import Array, Image, TrackedFace
from livecam.drawing import (
    COLOURS,
    DARK,
    GREY,
    LIGHT,
    RED,
    colour_of,
    draw_curve,
    draw_dots,
    draw_lines,
    part,
    put_text,
    shade,
    text_px,
    text_width,
)
from livecam.wording import counted

DIM_OPACITY = 0.8  # of what darkens the whole picture: grey text is legible on white then
BACKGROUND = (38, 33, 29)
LINE = 1.5  # height of a line of text over the text


def screen(size_wh: tuple[int, int], title: str, lines: Sequence[str], scale: float) -> Image:
    """A whole picture that says what is going on while there is none to show."""
    canvas = np.full((size_wh[1], size_wh[0], 3), BACKGROUND, np.uint8)
    _draw_centred(canvas, title, lines, scale)
    return canvas


def draw_banner(canvas: Image, title: str, lines: Sequence[str], scale: float) -> None:
    """Darkens the last picture and says what is wrong."""
    shade(canvas, (0, 0, canvas.shape[1], canvas.shape[0]), DIM_OPACITY)
    _draw_centred(canvas, title, lines, scale)


def _draw_centred(canvas: Image, title: str, lines: Sequence[str], scale: float) -> None:
    height, width = canvas.shape[:2]
    px = text_px(canvas, scale)
    title_px = round(1.5 * px)
    wrapped = [row for text in lines for row in wrap(text, px, width - 2 * px)]
    titles = wrap(title, title_px, width - 2 * px)
    y = (height - LINE * (px * len(wrapped) + title_px * len(titles))) / 2
    for text, size, colour in [
        *((text, title_px, LIGHT) for text in titles),
        *((text, px, GREY) for text in wrapped),
    ]:
        y += LINE * size
        put_text(canvas, text, (width - text_width(text, size)) / 2, y - 0.4 * size, size, colour)


def wrap(text: str, px: int, width: int) -> list[str]:
    """Lines that fit; a word that does not is cut."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, px) <= width:
            lines[-1] = longer
            continue
        while text_width(word, px) > width and len(word) > 1:
            word = f"{word[:-2]}\N{HORIZONTAL ELLIPSIS}"
        lines.append(word)
    return [row for row in lines if row]


def draw_figures(canvas: Image, words: Sequence[str], recording: str, scale: float) -> None:
    """A small strip in the upper left corner; `recording` stands beside a red dot."""
    px = max(12, round(0.8 * text_px(canvas, scale)))
    y1 = LINE * px
    room = canvas.shape[1] - px
    x = 0.5 * px
    dot = 1.9 * px + text_width(recording, px) if recording else 0.0
    text = ""
    for word in words:
        longer = f"{text}   {word}" if text else word
        if x + dot + text_width(longer, px) > room:
            break
        text = longer
    if not (text or recording):
        return
    shade(canvas, (0, 0, x + dot + text_width(text, px) + px, y1), 0.6)
    baseline = 1.1 * px
    if recording:
        draw_dots(canvas, np.array([[x + 0.4 * px, y1 / 2]]), RED, round(0.72 * px))
        put_text(canvas, recording, x + 1.2 * px, baseline, px)
        x += dot
    put_text(canvas, text, x, baseline, px, LIGHT)


def draw_message(canvas: Image, text: str, scale: float) -> None:
    """A line near the lower edge: the answer to a key."""
    height, width = canvas.shape[:2]
    px = text_px(canvas, scale)
    lines = wrap(text, px, width - 2 * px)
    y0 = height - LINE * px * (len(lines) + 0.7)
    w = max((text_width(row, px) for row in lines), default=0) + 1.6 * px
    shade(canvas, ((width - w) / 2, y0, (width + w) / 2, y0 + LINE * px * len(lines)))
    for i, row in enumerate(lines):
        left = (width - text_width(row, px)) / 2
        put_text(canvas, row, left, y0 + LINE * px * i + 1.12 * px, px)


def draw_square(canvas: Image, side: float) -> None:
    """An empty box of that size in the middle: how large the smallest face is."""
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = ((v + d * side) / 2 for d in (-1, 1) for v in (width, height))
    outline = np.array([[(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]])  # (1, 5, 2)
    draw_lines(canvas, outline, DARK, 4)
    draw_lines(canvas, outline, COLOURS[0], 2)


def draw_table(canvas: Image, rows: Sequence[tuple[str, str]], scale: float) -> None:
    """Two columns in the middle: the keys and what they do. Shrunk where there is no room."""
    height, width = canvas.shape[:2]
    px = text_px(canvas, scale)
    while px > 8 and (_table_width(rows, px) > width or LINE * px * (len(rows) + 1) > height):
        px -= 1
    left_w = max(text_width(left, px) for left, _ in rows)
    w, h = _table_width(rows, px), LINE * px * (len(rows) + 1)
    x0, y0 = (width - w) / 2, (height - h) / 2
    shade(canvas, (x0, y0, x0 + w, y0 + h), 0.88)
    for i, (left, right) in enumerate(rows):
        baseline = y0 + LINE * px * (i + 1.3)
        put_text(canvas, left, x0 + 1.5 * px, baseline, px, COLOURS[0])
        put_text(canvas, right, x0 + 3 * px + left_w, baseline, px)


def _table_width(rows: Sequence[tuple[str, str]], px: int) -> float:
    lefts, rights = zip(*rows, strict=True)
    widths = [max(text_width(text, px) for text in column) for column in (lefts, rights)]
    return sum(widths) + 4.5 * px


def draw_face_panel(
    canvas: Image, face: TrackedFace, box: Array, scheme: AgeScheme, gender: str, scale: float
) -> None:
    """All that is known of one face, beside it: its curve over the years, and its bins."""
    height, width = canvas.shape[:2]
    labels = scheme.labels
    title = f"{face.age:.0f} years, 80 % within {face.age_low}\N{EN DASH}{face.age_high}"
    about = "   ".join(
        word for word in (f"number {face.track_id}", gender, counted(face.samples, "view")) if word
    )
    texts = (title, about)
    px = text_px(canvas, scale)
    while px > 8 and (
        _panel_width(texts, labels, px) > width or LINE * px * (len(labels) + 6) > height
    ):
        px -= 1
    label_w = max(text_width(label, px) for label in labels)
    w, h = _panel_width(texts, labels, px), LINE * px * (len(labels) + 5.4)
    x0 = box[2] + px if box[2] + px + w <= width else max(0.0, box[0] - px - w)
    y0 = min(max(0.0, float(box[1])), max(0.0, height - h))
    shade(canvas, (x0, y0, x0 + w, y0 + h), 0.88)
    colour = colour_of(face.track_id)
    put_text(canvas, title, x0 + px, y0 + LINE * px, px)
    put_text(canvas, about, x0 + px, y0 + 2 * LINE * px, px, GREY)
    plot = (x0 + px, y0 + 2.4 * LINE * px, x0 + w - px, y0 + 4.2 * LINE * px)
    draw_curve(canvas, plot, face.age_probs, face.age_low, face.age_high, colour)
    probs = scheme.bin_probs(face.age_probs[None])[0]
    bar_x, bar_w = x0 + 1.5 * px + label_w, w - label_w - 5.5 * px
    for i, (label, prob) in enumerate(zip(labels, probs, strict=True)):
        baseline = y0 + LINE * px * (i + 5.4)
        put_text(canvas, label, x0 + px, baseline, px)
        part(canvas, (bar_x, baseline - 0.7 * px, bar_x + 1 + bar_w * prob, baseline))[:] = colour
        put_text(canvas, f"{100 * prob:.0f} %", x0 + w - 3.2 * px, baseline, px, GREY)


def _panel_width(texts: Sequence[str], labels: Sequence[str], px: int) -> int:
    rows = max(text_width(text, px) for text in texts)
    bars = max(text_width(label, px) for label in labels) + 9 * px
    return max(rows, bars) + 2 * px
