"""Look at a user's tables before a run: what is wrong with which row, what fits, what is there twice, what models see.

    python -m perc_jax.inspect --config configs/tables_cpu.py
    python -m perc_jax.inspect my.jsonl --model Qwen/Qwen2.5-VL-7B-Instruct --html rows.html

Given a table (a file, a folder, a glob, a hub id), it alone is looked at, with the tokenizer and the lengths of the
config or model; else the tables that the config trains and tests. Fields of the config are overridden as for training.
Exit code 1 if a row is wrong or a test row is trained on, so that a script can tell. No model is loaded.
"""

import argparse
import base64
import io
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from engines.progress import progress
from perc_jax import cli
from perc_jax.config import Config, TableConfig, to_dict
from perc_jax.data import doctor, table_prompts
from perc_jax.processes import ends
from perc_jax.prompt import chat, image
from perc_jax.prompt.tokenizer import shared
from perc_jax.records.files import absolute, to_json, write_whole
from perc_jax.report.doctor import Seen, fit_share, page

CHUNK = 128  # rows per task
SHOWN = 24  # rows on the page, of all tables


def main(argv: Sequence[str] | None = None) -> None:
    """Look, print, write what was asked for."""
    with ends.told():
        given = list(sys.argv[1:] if argv is None else argv)
        alone = given.pop(0) if given and not given[0].startswith("-") else ""
        options, rest = _parser().parse_known_args(given)
        config, _ = cli.parse(rest)
        train, test = _tables(alone, options, config)
        tables = list(dict.fromkeys([*train, *test]))
        names, found = _names(tables), _look(config, tables, options.rows, options.processes)
        most = {t: doctor.longest_said(config, t) if t in train else 0 for t in tables}
        reports = {names[t]: doctor.report(config, t, found[t], most[t]) for t in tables}
        overlaps = doctor.overlap(*({names[t]: found[t] for t in side} for side in (train, test)))
        proposed = list(doctor.bucketing(config, {names[t]: found[t] for t in train}))
        everything = to_json({"tables": reports, "overlaps": overlaps, "proposed": proposed}, indent=1)
        print(everything if options.json == "-" else "\n".join([*_lines(reports, overlaps), *proposed]))
        if options.json not in ("", "-"):
            write_whole(absolute(options.json), everything + "\n")
        if options.html:
            seen = list(_seen(config, names, found))
            write_whole(absolute(options.html), page(reports, overlaps, seen))
    if overlaps or any(one["wrong"] for one in reports.values()):
        raise SystemExit(ends.FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = ends.Parser(
        prog="python -m perc_jax.inspect",
        usage="%(prog)s [TABLE] [--config C] [--model M] [--field.sub VALUE …] [options]",
        description=__doc__.splitlines()[0],
        epilog="TABLE is looked at by itself; without it, the tables that the config trains and tests are.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--rows", type=int, default=0, help="rows of each table, evenly from all of it (default: every one)")
    add("--processes", type=int, default=os.cpu_count() or 1, help="that read at the same time (default: %(default)s)")
    add("--json", default="", help="file for all that was found; -: to the screen instead of the lines")
    add("--html", default="", help="file for a page of lengths, and of rows as the model sees them")
    return parser


def _tables(alone: str, options: argparse.Namespace, config: Config) -> tuple[list[TableConfig], list[TableConfig]]:
    """The tables that are trained on, and those that are asked."""
    for name in ("rows", "processes"):
        if getattr(options, name) < (name == "processes"):
            raise ValueError(f"--{name} must be >= {int(name == 'processes')}, got {getattr(options, name)}")
    if alone:
        return [TableConfig(alone)], []
    train = list(dict.fromkeys(table for stage in config.stages for table in stage.mixture.tables))
    test = list(config.evaluation.tables)
    if not train and not test:
        raise ValueError("--config must have tables in a stage's mixture or in evaluation.tables, got none")
    return train, test


def _names(tables: Sequence[TableConfig]) -> dict[TableConfig, str]:
    """A name for each table: its label, and where several have that, in which settings they differ."""
    found = {}
    for table in tables:
        alike = [to_dict(one) for one in tables if one.label == table.label]
        own = to_dict(table)
        differ = [name for name in own if any(one[name] != own[name] for one in alike)]
        settings = ", ".join(f"{name} {own[name] or 'not given'}" for name in differ)
        found[table] = f"{table.label} ({settings})" if settings else table.label
    return found


def _look(
    config: Config, tables: Sequence[TableConfig], rows: int, processes: int
) -> dict[TableConfig, list[doctor.Looked]]:
    """What each table's rows look like; tables are different ones."""
    plan = []
    for table in tables:
        count = len(table_prompts.opened(table))
        numbers = range(0, count, max(1, count // rows) if rows else 1)
        plan += [(table, numbers[start : start + CHUNK]) for start in range(0, len(numbers), CHUNK)]
    found: dict[TableConfig, list[doctor.Looked]] = {table: [] for table in tables}
    with progress("rows", sum(len(part) for _, part in plan)) as advance:
        for (table, part), looked in zip(plan, _in_processes(config, plan, processes), strict=True):
            found[table] += looked
            advance(len(part))
    return found


def _in_processes(
    config: Config, plan: Sequence[tuple[TableConfig, Sequence[int]]], processes: int
) -> Iterator[list[doctor.Looked]]:
    given = [(config, table, part, doctor.longest_said(config, table) > 0) for table, part in plan]
    if processes == 1 or len(plan) == 1:
        yield from (doctor.look(*one) for one in given)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(plan)), mp_context=context) as pool:
        yield from pool.map(doctor.look, *zip(*given, strict=True))


def _lines(reports: dict[str, dict[str, Any]], overlaps: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the screen says."""
    for name, one in reports.items():
        yield f"{name}: {one['reading']}"
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in one["kinds"].items())
        yield (
            f"  {one['looked_at']:,} of {one['rows']:,} rows looked at, {one['wrong']:,} wrong, "
            f"{one['duplicates']['count']:,} repeated, {100 * fit_share(one):.1f} % of the others fit; answers: {kinds}"
        )
        for field, spread in one["lengths"].items():
            if spread:
                yield f"  {field}: median {spread['median']}, 99 % {spread['p99']}, longest {spread['most']}"
        yield from (f"  wrong: {line}" for line in one["wrong_rows"])
        yield from (f"  {line}" for line in doctor.advice(name, one))
    for both in overlaps:
        yield f"{both['count']} rows of {both['test']} are trained on in {both['train']}: {both['rows'][0]}"


def _seen(
    config: Config, names: Mapping[TableConfig, str], found: Mapping[TableConfig, Sequence[doctor.Looked]]
) -> Iterator[Seen]:
    """Some sound rows of each table."""
    each = max(1, SHOWN // len(names))
    data, vision = config.data, config.model.vision
    tokenizer = shared(config)
    for wanted, name in names.items():
        table = table_prompts.opened(wanted)
        good = [row for row in found[wanted] if not row.wrong]
        for looked in good[:: max(1, len(good) // each)][:each]:
            row = table_prompts.seen(table, looked.number, table_prompts.Sight.of(config))
            pictures = tuple(
                _url(image.fit(image.open_picture(one.name, one.read()), vision, data.min_pixels, data.max_pixels))
                for one in row.pictures
            )
            text = chat.chat_text(tokenizer, table_prompts.asked(row.chat, data))
            gold = table_prompts.gold_of(table, looked.number, row).text()
            yield Seen(looked.name, name, text, pictures, gold, looked.kind, looked.tokens, looked.patches)


def _url(picture: Any) -> str:
    """A picture as a data URL."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


if __name__ == "__main__":
    main()
