"""What the audit found, for people: a line a type, the failures with a call that shows each, answers by level."""

from collections import Counter
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from engines.check.cell import Cell
from engines.check.run import CHECKS, Report, TypeReport

COLUMNS = ("samples", "wrong", "blind", "stated", "put", "facts", "repeated", "complexity", "pose", "draw", "photo")
SHOWN = 5  # failures told per type and check
MANY = 12  # answers named per level


def show(report: Report, console: Console) -> None:
    """Print the table, what failed, and the verdict."""
    console.print(_table(report))
    for kind in report.types:
        for check in sorted(kind.failed, key=CHECKS.index):
            console.print(f"[red]{kind.name}[/] {check}: {kind.failed[check]} failed", highlight=False)
            for text in kind.failures[check][:SHOWN]:
                console.print(f"    {text}", markup=False, highlight=False, soft_wrap=True)
    for text in report.failures:
        console.print(f"[red]all[/] {text}", highlight=False)
    for line in _summary(report):
        console.print(line, highlight=False)


def distribution(report: Report) -> str:
    """The answers of every type at every level as a Markdown table."""
    lines = ["| type | level | samples | answers | blind | the commonest |", "|---|---|---|---|---|---|"]
    for kind in report.types:
        for cell in kind.cells:
            shares = [
                f"{text.replace('|', '/')} {count / cell.samples:.0%}" for text, count in cell.answers.most_common(MANY)
            ]
            more = len(cell.answers) - len(shares)
            named = ", ".join(shares) + (f" and {more} more" if more else "")
            lines.append(
                f"| {kind.name} | {cell.level} | {cell.samples} | {len(cell.answers)} | {_guess(cell)} | {named} |"
            )
    return "\n".join([*lines, ""])


def _guess(cell: Cell) -> str:
    return f"{cell.guess:.2f}" if cell.guesser else "-"


def _table(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("type", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for kind in report.types:
        table.add_row(f"{kind.name}{'*' if kind.held_out else ''}", *_row(kind), _verdict(kind))
    table.caption = (
        "* asked in test_d only. wrong: wrong answers or oracles; blind, stated: guess without the picture, measured\n"
        "and stated, - where not measured; put: fewest phrasings; complexity: lowest and highest level;\n"
        "pose, draw, photo: ms on the canvas"
    )
    return table


def _row(kind: TypeReport) -> Iterator[str]:
    wrong = kind.failed["oracle"] + kind.failed["gold"] + kind.failed["near"]
    ends = [cell.complexity[0] for cell in kind.cells]
    pictures = Counter(picture for cell in kind.cells for picture in cell.pictures)
    yield from (
        str(kind.samples),
        str(wrong),
        *((f"{kind.guess:.3f}", f"{kind.guess_rate:.3f}") if kind.is_guessed() else ("-", "-")),
        str(kind.phrasings or "-"),
    )
    yield str(min(cell.facts for cell in kind.cells))
    yield f"{1 - len(pictures) / max(pictures.total(), 1):.1%}"
    yield f"{ends[0]:.0f}-{ends[-1]:.0f}"
    for stage in ("pose", "draw", "photo"):
        mean = kind.mean_ms(stage)
        yield "" if mean is None else f"{mean:.2f}"


def _verdict(kind: TypeReport) -> str:
    failed = [check for check in CHECKS if kind.failed[check]]
    missing = f", [yellow]not measured: {', '.join(kind.unmeasured())}[/]" if kind.unmeasured() else ""
    return (f"[red]{' '.join(failed)}[/]" if failed else "[green]right[/]") + missing


def _summary(report: Report) -> Iterator[str]:
    right = sum(not kind.failed for kind in report.types)
    samples = sum(kind.samples for kind in report.types)
    yield f"{right} of {len(report.types)} types are right; {samples} samples"
    yield f"{report.programs} question programs, {report.queries} with what they name"
    unseen = [kind.name for kind in report.types if "options" in kind.unmeasured()]
    if unseen:
        yield f"options not found, so no rule by their looks was tried: {', '.join(unseen)}"
    if report.duplicates:
        d = report.duplicates
        worst = sorted(d.by_type.items(), key=lambda item: item[1][1] / max(item[1][0], 1))[::-1][:3]
        named = ", ".join(f"{name} {repeated / samples:.2%}" for name, (samples, repeated) in worst if repeated)
        yield f"{d.share():.3%} of {d.samples} samples of the default mixture had come before" + (
            named and f": {named}"
        )
