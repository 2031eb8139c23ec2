"""Problems with fields that are missing or of another kind: one line that names file, problem and field, or no harm.

Every field of every data file of every benchmark's small folder, in one row at a time.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from perc_jax.benchmarks import BENCHMARKS, Benchmark, Item
from perc_jax.benchmarks.files import Row
from tests.benchmarks.folders import WRITERS

pytest.importorskip("pyarrow", reason="pyarrow writes the small data sets")
RESPONSES = ("A", "12", "no", r"So <answer>\boxed{B}</answer>", '{"short answer": "1.5"}')
# What may be missing: pictures, which no scorer reads, and what a prompt has another word for.
OPTIONAL = {
    "chartqa": {"imgname"},
    "mmmu": {"subfield"},
    "visonlyqa": {"decoded_image"},
    "wemath": {"image_path"},
}
PICTURES = re.compile(r"(?:decoded_)?image(?:_\d)?")
GONE = object()
TRIED = (GONE, None, "", "zebra", -1, 0.5, True, [], [None], [[]], ["x"], {"x": 1})


class Data(NamedTuple):
    """A data file's rows, and how to write others in their place."""

    file: Path
    rows: list[dict[str, Any]]
    write: Callable[[list[dict[str, Any]]], None]


def data_of(folder: Path) -> Iterator[Data]:
    """The data files of a folder."""
    from pyarrow import parquet

    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.suffix == ".jsonl":
            rows = [json.loads(line) for line in file.read_text().splitlines()]
            yield Data(file, rows, lambda rows, file=file: file.write_text("\n".join(map(json.dumps, rows))))
        elif file.suffix == ".json":
            found = json.loads(file.read_text())
            keys = list(found) if isinstance(found, dict) else None
            rows = list(found.values()) if keys else found

            def write(rows: list, file: Path = file, keys: list[str] | None = keys) -> None:
                file.write_text(json.dumps(dict(zip(keys, rows, strict=True)) if keys else rows))

            yield Data(file, rows, write)
        elif file.suffix == ".parquet":
            yield Data(file, parquet.read_table(file).to_pylist(), lambda rows, file=file: write_rows(file, rows))


def write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), file)


def changed(values: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A row with one field, or one within a field, gone or of another value."""
    name, *below = path
    values = dict(values)
    if below:
        values[name] = changed(values[name], tuple(below), value)
    elif value is GONE:
        del values[name]
    else:
        values[name] = value
    return values


def paths(values: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """All fields of a row but the pictures of a Parquet file; of `metadata`, those in it too."""
    for name, value in values.items():
        if not (isinstance(value, dict) and "bytes" in value) and not PICTURES.fullmatch(name):
            yield (name,)
            yield from (((name, inner) for inner in value) if name == "metadata" else ())


def use(benchmark: Benchmark, folder: Path) -> None:
    """Whatever a program does with problems: load, ask, score in every mode, aggregate."""
    problems = benchmark.load(folder)
    for mode in benchmark.modes:
        for response in RESPONSES:
            items = [Item(problem, benchmark.score(problem, response, mode)) for problem in problems]
        benchmark.total(items)
        json.dumps(benchmark.summary(items, mode))
        for problem in problems:
            benchmark.prompt(problem, mode)


def tries(data: Data) -> Iterator[tuple[tuple[str, ...], Any, list[dict[str, Any]]]]:
    """Every field of every row with every other value: the field, the value, and the rows with it."""
    in_columns = data.file.suffix == ".parquet"  # of one type each: all rows change
    for number, row in enumerate(data.rows[:1] if in_columns else data.rows):
        for path in paths(row):
            for value in TRIED:
                if in_columns and len(path) > 1 and value is GONE:
                    continue  # there is no struct without fields
                rows = [
                    changed(one, path, value) if in_columns or i == number else one for i, one in enumerate(data.rows)
                ]
                yield path, value, rows


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_a_field_that_is_missing_or_of_another_kind_is_named(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path)
    benchmark, wrong, refused = BENCHMARKS[name], [], 0
    for data in data_of(tmp_path):
        for path, value, rows in tries(data):
            data.write(rows)
            try:
                use(benchmark, tmp_path)
                if value is GONE and path[-1] not in OPTIONAL.get(name, ()):
                    wrong.append((data.file.name, path, "is not asked for"))
            except ValueError as error:
                refused += 1
                line = str(error)
                named = data.file.name in line and path[-1] in line and "\n" not in line
                if not named and "ids must be unique" not in line:
                    wrong.append((data.file.name, path, value, line))
        data.write(data.rows)
    assert not wrong, "\n".join(map(str, wrong[:20]))
    assert refused > 0
    use(benchmark, tmp_path)  # as it was


def row(**values: Any) -> Row:
    return Row(values, Path("data.json"), 3, {})


def test_an_error_names_file_row_problem_field_rule_and_value() -> None:
    begin = r"^data\.json row 3 \(problem p7\)"
    with pytest.raises(ValueError, match=rf"{begin} must have the field 'answer', got \['pid'\]$"):
        row(pid="p7").filled("answer")
    with pytest.raises(ValueError, match=rf"{begin}: answer must not be empty, got None$"):
        row(pid="p7", answer=None).filled("answer")
    with pytest.raises(ValueError, match=rf"{begin}: answer must be a number, got 'nan'$"):
        row(pid="p7", answer="nan").finite("answer")
    with pytest.raises(ValueError, match=rf"{begin}: metadata must be an object, got 3$"):
        row(pid="p7", metadata=3).inner("metadata")
    with pytest.raises(ValueError, match=rf"{begin} must have the field 'metadata\.task', got \[\]$"):
        row(pid="p7", metadata={}).inner("metadata").text("task")
    with pytest.raises(ValueError, match=r"^data\.json row 3: kind must be one of a, b, got 'c'$"):
        row(kind="c").one_of("kind", ("a", "b"))
    with pytest.raises(ValueError, match=r"^data\.json row 3: choices must have at least 1 entries, got \[\]$"):
        row(choices=[]).texts("choices", least=1)
    with pytest.raises(ValueError, match=r"choices must be a list of texts, got \[\{'xxx.{0,60}…$"):
        row(choices=[{"x" * 99: 1}]).texts("choices")
