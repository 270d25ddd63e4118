"""A page for a browser, in one file: its head, its style, its title."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --soft: #66727f; --line: #d9dfe5; --back: #ffffff;
        --first: #34709f; --second: #d1603d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf2; --soft: #9aa6b2; --line: #36414c;
        --back: #14191f; --first: #6fa8d6; --second: #e98a6b; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
       max-width: 900px; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
p { margin: .3rem 0; color: var(--soft); }
dl { display: flex; flex-wrap: wrap; gap: 2.5rem; margin: 1.2rem 0; }
dt { color: var(--soft); font-size: .9rem; } dd { margin: 0; font-size: 1.9rem; }
.wide svg { width: 100%; min-width: 620px; height: auto; }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink); }
svg .soft { fill: var(--soft); } svg .line { stroke: var(--line); } svg .ink { stroke: var(--ink); }
svg .edge { stroke: var(--soft); stroke-width: .7; }
.wide { overflow-x: auto; background:  /* a shadow where there is more to the side */
       linear-gradient(to right, var(--back) 40%, transparent) left / 2.5rem 100% no-repeat local,
       linear-gradient(to left, var(--back) 40%, transparent) right / 2.5rem 100% no-repeat local,
       linear-gradient(to right, var(--line), transparent) left / 1rem 100% no-repeat,
       linear-gradient(to left, var(--line), transparent) right / 1rem 100% no-repeat; }
.wide:has(table) { position: relative; left: 50%; transform: translateX(-50%); min-width: 100%;
       width: max-content; max-width: calc(100vw - 2rem); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin-bottom: .6rem; }
a { color: var(--first); } a[aria-current] { color: var(--ink); font-weight: 600; }
form { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center;
       color: var(--soft); font-size: .9rem; margin-bottom: 1.5rem; }
label { max-width: 100%; }
input, select, button { font: inherit; max-width: 100%; color: var(--ink); background: var(--back);
       border: 1px solid var(--line); border-radius: 4px; padding: .15rem .4rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .45rem; font-size: 14px; text-align: right; white-space: nowrap; }
th { font-weight: normal; } thead th, thead td { color: var(--soft); vertical-align: bottom; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--back); }
td.full { background: linear-gradient(to top, color-mix(in srgb, var(--first) 45%, transparent)
       var(--full), transparent 0); }
img { max-width: 100%; height: auto; display: block; margin: .4rem 0; }
tbody tr, tfoot tr:first-child { border-top: 1px solid var(--line); }
tfoot tr:first-child > * { font-weight: 600; }
@media print { nav, form, .now { display: none; } body { margin: 0; max-width: none; }
  svg, tr { break-inside: avoid; }
  h2 { break-after: avoid; } .wide { overflow: visible; background: none; }
  .wide svg { min-width: 0; }
  .wide:has(table) { position: static; transform: none; }
  th, td { padding: .1rem .25rem; font-size: 10px; } tfoot { display: table-row-group; } }
"""


def document(title: str, parts: Iterable[str], top: str = "", style: str = "") -> str:
    """A page of these parts, in HTML, below its title. `top`: more HTML above that; `style`: more
    CSS."""
    said = html.escape(title)
    head = (
        "<!doctype html>", '<html lang="en">', '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">', f"<title>{said}</title>",
        '<link rel="icon" href="data:,">',  # else a browser asks the server for one
        f"<style>{STYLE}{style}</style>",
    )  # fmt: skip
    above = f"<header>{top}</header>" if top else ""
    body = (above, "<main>", f"<h1>{said}</h1>", *parts, "</main>")
    return "\n".join((*head, *body, "</html>")) + "\n"


def wide(parts: Iterable[str], name: str) -> str:
    """What a narrow window shows a part of, and scrolls; with the keyboard too. `name`: for those
    who hear the page."""
    scrolls = f'class="wide" tabindex="0" role="region" aria-label="{html.escape(name)}"'
    return f"<div {scrolls}>{''.join(parts)}</div>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str | float]],
    foot: Iterable[Sequence[str | float]] = (),
) -> str:
    """Each row begins with its own name. A number is a share, and its cell as full as it says."""
    named = "".join(
        f'<th scope="col">{html.escape(cell)}</th>' if cell else "<td></td>" for cell in head
    )
    groups = [f"<thead><tr>{named}</tr></thead>\n<tbody>", *map(_row, rows), "</tbody>"]
    if below := [_row(cells) for cells in foot]:
        groups += ["<tfoot>", *below, "</tfoot>"]
    return wide(("<table>", *groups, "</table>"), "table")


def _row(cells: Sequence[str | float]) -> str:
    first, *others = cells
    return f'<tr><th scope="row">{html.escape(str(first))}</th>{"".join(map(_cell, others))}</tr>\n'


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f"<td>{html.escape(value)}</td>"
    percent = f"{100 * value:.0f}"
    return f'<td class="full" style="--full:{percent}%">{percent} %</td>'
