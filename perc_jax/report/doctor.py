"""The data doctor's page: what a table takes and what is wrong with it, and rows as the model will see them.

Pure functions from `data.doctor`'s findings and `Seen` rows to one HTML page in the report's style.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from perc_jax.report import grids
from perc_jax.report.grids import Cell, Row
from perc_jax.report.page import document

FIELDS = {
    "max_prompt_tokens": ("Prompt", "tokens, pictures included"),
    "max_patches": ("Pictures", "patch slots"),
    "max_tokens": ("Answer", "tokens"),
}
BAR_WIDTH, BAR_HEIGHT, GAP = 30, 90, 4  # of a histogram, in units of its view box


class Seen(NamedTuple):
    """A row as the model will see it."""

    name: str
    table: str
    text: str  # of the chat, marks included
    pictures: tuple[str, ...]  # data URLs, resized as for the model
    gold: str
    kind: str
    tokens: int
    patches: int


def page(tables: Mapping[str, Mapping[str, Any]], overlaps: Sequence[Mapping[str, Any]], seen: Sequence[Seen]) -> str:
    """The whole page."""
    parts = ["<h1>Data</h1>", _overview(tables)]
    for both in overlaps:
        what = f"{both['count']} rows of {both['test']} are in {both['train']} too: "
        parts.append(f'<p class="bad"><b>{escape(what)}</b>{escape("; ".join(both["rows"][:3]))}</p>')
    parts += [_table(name, one) for name, one in tables.items()]
    parts.append("<h2>Rows as the model sees them</h2>" + "".join(map(_seen, seen)))
    return document("Data · perc_jax", "".join(parts))


def _overview(tables: Mapping[str, Mapping[str, Any]]) -> str:
    heads = [("table", ""), *((name, "number") for name in ("rows", "looked at", "wrong", "repeated", "fit"))]
    rows = []
    for name, one in tables.items():
        counts = [f"{one[key]:,}" for key in ("rows", "looked_at", "wrong")] + [f"{one['duplicates']['count']:,}"]
        rows.append(Row(name, [Cell(text, "number") for text in (*counts, f"{100 * fit_share(one):.1f} %")]))
    return grids.cards(heads, rows, kind="wide")


def fit_share(one: Mapping[str, Any]) -> float:
    """The share of a table's sound rows that fit, by the length that fits the fewest."""
    return min((spread.get("fit_share", 1.0) for spread in one["lengths"].values()), default=1.0)


def _table(name: str, one: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in one["kinds"].items())
    pictures = ", ".join(f"{count:,} with {number}" for number, count in one["pictures"].items())
    figures = "".join(_length(field, spread) for field, spread in one["lengths"].items() if spread)
    listed = _listed("Wrong", one["wrong"], one["wrong_rows"])
    listed += _listed("Repeated", one["duplicates"]["count"], one["duplicates"]["rows"])
    return (
        f'<h2>{escape(name)}</h2><p class="soft">{escape(one["path"])}: {escape(one["reading"])}</p>'
        f"<p>Answers: {escape(kinds) or 'none'}. Pictures: {escape(pictures) or 'none'}.</p>"
        f'<div class="charts">{figures}</div>{listed}'
    )


def _listed(what: str, count: int, lines: Sequence[str]) -> str:
    """Rows by name, of which there may be more than are named; nothing where there is none."""
    more = f", the first {len(lines)}" if len(lines) < count else ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<p class="bad"><b>{what}: {count:,}{more}</b></p><ul>{items}</ul>' if count else ""


def _length(field: str, spread: Mapping[str, Any]) -> str:
    """A histogram with the room that is there; lengths that are all equal are told in words."""
    title, unit = FIELDS[field]
    bins, room = spread["histogram"], spread.get("room")
    fits = "" if room is None else f"; {100 * spread['fit_share']:.1f} % fit {room}"
    if len(bins) == 1:
        return f"<figure><figcaption><b>{title}</b> always {spread['most']} {unit}{fits}</figcaption></figure>"
    highest = max(count for _, _, count in bins)
    bars = ""
    for place, (first, last, count) in enumerate(bins):
        height = BAR_HEIGHT * count / highest
        colour = "#d55e00" if room is not None and last > room else "#0072b2"
        x, y = place * (BAR_WIDTH + GAP), BAR_HEIGHT - height
        bars += f'<rect x="{x}" y="{y:.1f}" width="{BAR_WIDTH}" height="{height:.1f}" fill="{colour}">'
        bars += f"<title>{first} to {last}: {count}</title></rect>"
    width = len(bins) * (BAR_WIDTH + GAP)
    for x, anchor, value in ((0, "start", spread["least"]), (width - GAP, "end", spread["most"])):
        bars += (
            f'<text x="{x}" y="{BAR_HEIGHT + 14}" text-anchor="{anchor}" font-size="12" fill="#6b6f76">{value}</text>'
        )
    words = f"{spread['least']} to {spread['most']} {unit}, median {spread['median']}, 99 % up to {spread['p99']}{fits}"
    return (
        f"<figure><figcaption><b>{title}</b> {escape(words)}</figcaption>"
        f'<svg viewBox="0 0 {max(width, 12 * (BAR_WIDTH + GAP))} {BAR_HEIGHT + 18}" role="img">{bars}</svg></figure>'
    )


def _seen(row: Seen) -> str:
    pictures = "".join(f'<img src="{url}" alt="">' for url in row.pictures) or '<div class="missing">no picture</div>'
    chips = f"{row.table} · {row.kind} · {row.tokens} tokens · {row.patches} patch slots"
    return (
        f'<div class="sample"><div class="picture">{pictures}<div class="chips">{escape(chips)}</div></div><div>'
        f'<p class="soft">{escape(row.name)}</p><p class="mono" style="white-space:pre-wrap">{escape(row.text)}</p>'
        f'<p class="gold">Right answer <code>{escape(row.gold) or "none"}</code></p></div></div>'
    )
