"""The page's tables: one that becomes cards on a narrow screen, one that scrolls there, and the one scale of tints.

Pure functions from text to HTML; every argument that is not named `html` or made by a function here is escaped. Sizes
and colours are in `assets/report.css`.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple


class Cell(NamedTuple):
    """A cell of a table."""

    html: str
    kind: str = ""  # class of the cell: number, good, bad, …
    style: str = ""
    note: str = ""  # shown where the pointer rests

    def text(self, label: str = "") -> str:
        """The cell as HTML; `label` says on a narrow screen what it is."""
        parts = {"class": self.kind, "style": self.style, "title": self.note, "data-label": label}
        attributes = "".join(f' {name}="{escape(value)}"' for name, value in parts.items() if value)
        return f"<td{attributes}>{self.html}</td>"


class Row(NamedTuple):
    """A row: its heading and its cells."""

    name: str
    cells: Sequence[Cell]


def cards(heads: Sequence[tuple[str, str]], rows: Sequence[Row], *, kind: str = "") -> str:
    """A table whose rows become cards on a narrow screen, every cell under its heading.

    Args:
        heads: heading and class of each column, that of the rows' names first.
        rows: each with a cell per further column.
        kind: class of the table.
    """
    head = "".join(f"<th{_kind(of)}>{escape(name)}</th>" for name, of in heads)
    body = ""
    for row in rows:
        labelled = zip(row.cells, heads[1:], strict=True)
        body += f"<tr><th>{escape(row.name)}</th>{''.join(cell.text(name) for cell, (name, _) in labelled)}</tr>"
    table = f"<table{_kind(f'cards {kind}'.strip())}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def scrolling(head_html: str, body_html: str, kind: str = "", *, is_wide: bool = False) -> str:
    """A table that scrolls where the screen is too narrow for it, while its first column stays in sight.

    Args:
        head_html, body_html: rows of the head and the body.
        kind: class of the table.
        is_wide: whether a telephone's screen is too narrow; there a line says that it scrolls.
    """
    hint = '<p class="swipe">The table is wider than this screen: swipe it sideways →</p>' if is_wide else ""
    table = f"<table{_kind(kind)}><thead>{head_html}</thead><tbody>{body_html}</tbody></table>"
    return f'{hint}<div class="scroll{" wide" * is_wide}">{table}</div>'


def tinted(share: float, *, small_html: str = "", edge: str = "", note: str = "") -> Cell:
    """A share in [0, 1] as a whole per cent, on a tint as strong as the share is high: the same on every table."""
    html = f"{100 * share:.0f}" + (f"<small>{small_html}</small>" if small_html else "")
    return Cell(html, f"tint {edge}".strip(), f"--share:{share:.3f}", note)


def scale() -> str:
    """The tints' scale, to stand above the tables that use them."""
    steps = "".join(f'<i class="tint" style="--share:{share / 4}">{25 * share}</i>' for share in range(5))
    return f'<span class="scale">{steps} %</span>'


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
