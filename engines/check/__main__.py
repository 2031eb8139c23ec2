"""The command line of the audit: `python -m engines.check --help`."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

import engines
from engines import ends
from engines.check.run import Report, as_json, cells, lessons, report, tasks
from engines.check.table import distribution, show
from engines.progress import progress


@ends.told()
def main(arguments: list[str] | None = None) -> int:
    """Audit the engines; gives 0 if everything is right, 1 if not."""
    parser = _parser()
    options = parser.parse_args(arguments)
    kinds = list(_kinds(options.engines, options.types))
    known = ", ".join(engines.ENGINES)
    for name in sorted(set(options.engines) - set(engines.ENGINES)):
        parser.error(f"--engines must name categories ({known}), got {name!r}")
    for name in sorted(set(options.types) - {".".join(kind) for kind in kinds}):
        of = ", ".join(options.engines) if options.engines else known
        parser.error(f"--types must name types of {of} as category.type, got {name!r}")
    for option, path in (("--json", options.json), ("--distribution", options.distribution)):
        if path and not path.absolute().parent.is_dir():
            parser.error(f"{option}: the folder of {path} must exist")
        if path and path.is_dir():
            parser.error(f"{option} must name a file, got the folder {path}")
    console = Console(width=None if sys.stdout.isatty() else 180)
    found = _run(options, kinds)
    show(found, console)
    if options.json:
        options.json.write_text(json.dumps(as_json(found), indent=1) + "\n")
    if options.distribution:
        options.distribution.write_text(distribution(found))
    return ends.DONE if found.is_right() else ends.FAILED


def _run(options: argparse.Namespace, kinds: list[tuple[str, str]]) -> Report:
    """Everything that takes time, with a bar."""
    work = tasks(kinds, options.levels, options.samples, options.draw, options.size_px, options.solve)
    found, learned = [], []
    with progress("types x levels", len(work)) as advance:
        for cell in cells(work, options.processes):
            found.append(cell)
            advance(1)
    with progress("types that a guesser learns", len(kinds)) as advance:
        for lesson in lessons(kinds, options.levels, options.samples, options.processes):
            learned.append(lesson)
            advance(1)
    with progress("duplicates", options.duplicates) as advance:
        return report(found, options.duplicates, advance, learned)


def _kinds(names: tuple[str, ...], types: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for engine in engines.ENGINES.values():
        for kind in engine.types:
            is_named = not names or engine.name in names
            if is_named and (not types or f"{engine.name}.{kind.name}" in types):
                yield engine.name, kind.name


def _parser() -> argparse.ArgumentParser:
    parser = ends.Parser(prog="python -m engines.check", description="Audit the data engines, type by type.")
    add = parser.add_argument
    add("--engines", type=_list, default=(), metavar="A,B", help="categories to audit (default: all)")
    add("--types", type=_list, default=(), metavar="A.X,B.Y", help="question types to audit (default: all)")
    add("--levels", type=_levels, default=tuple(range(10)), metavar="0,4,9", help="levels (default: 0 to 9)")
    add("--samples", type=_some, default=100, metavar="N", help="samples per type and level (default %(default)s)")
    add("--draw", type=_count, default=2, metavar="M", help="of them drawn and photographed (default %(default)s)")
    add("--solve", type=_count, default=0, metavar="N", help="pictures per type and level for the solver (default 0)")
    add("--size-px", type=_some, default=448, metavar="N", help="side of the drawn pictures (default %(default)s)")
    add(
        "--duplicates",
        type=_count,
        default=0,
        metavar="N",
        help="samples of the default mixture to compare (default 0)",
    )
    add("--processes", type=_some, default=1, metavar="N", help="processes to use (default %(default)s)")
    add("--json", type=Path, metavar="F", help="write everything found to this file")
    add("--distribution", type=Path, metavar="F.md", help="write the answers by type and level as a Markdown table")
    return parser


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number >= 0, got {text!r}")
    return int(text)


def _some(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text!r}")
    return int(text)


def _levels(text: str) -> tuple[int, ...]:
    levels = tuple(int(part) if part.isdigit() else -1 for part in text.split(","))
    if not all(0 <= level <= 9 for level in levels):
        raise argparse.ArgumentTypeError(f"must be numbers within 0..9 with commas between, got {text!r}")
    return levels


if __name__ == "__main__":
    sys.exit(main())
