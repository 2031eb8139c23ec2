"""Cells as values: numbers become the digits that were meant, objects of options keep their letters, nesting ends."""

import json
from decimal import Decimal

import pytest

from perc_jax.config import TableConfig
from perc_jax.data import table_prompts
from perc_jax.data.tables import open_table

DEEP = "[" * 700 + "]" * 700


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def lines(folder, *rows, **fields):
    (folder / "t.jsonl").write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return open_table(TableConfig(str(folder / "t.jsonl"), **fields))


def gold(table, number=0):
    return table_prompts.gold_of(table, number, table[number])


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ("0.00005", "0.00005"),
        ("5e-05", "0.00005"),
        ("1e16", "10000000000000000"),
        ("1E+22", "10000000000000000000000"),
        ("-2.5e-7", "-0.00000025"),
        ("3.0", "3.0"),
        ("0.1", "0.1"),
        ("12345678901234567890", "12345678901234567890"),
        ("true", "true"),
        ('[1e-05, "5e-05", {"\u00e4": [2.50, null, false]}]', '[0.00001, "5e-05", {"\u00e4": [2.5, null, false]}]'),
    ],
)
def test_numbers_are_written_in_digits(tmp_path, cell, answer):
    """Also inside of lists and objects; a text stays as it is."""
    table = lines(tmp_path, f'{{"question": "?", "answer": {cell}}}')
    assert table[0].answer == answer
    if answer[-1].isdigit() and len(answer) < 20:
        assert gold(table).kind == "number" and gold(table).accepts(answer)


@pytest.mark.parametrize("cell", ["Infinity", "-Infinity", "[1, NaN]", '{"a": Infinity}', "1e999"])
def test_an_answer_that_is_not_finite_is_refused(tmp_path, cell):
    table = lines(tmp_path, f'{{"question": "?", "answer": {cell}}}')
    with pytest.raises(ValueError, match=r"t\.jsonl line 1: column answer must hold finite numbers only, got "):
        table[0]


def test_options_that_are_numbers_are_written_in_digits(tmp_path):
    table = lines(tmp_path, {"question": "?", "choices": [0.00005, 1e16, 2], "answer": "0.00005"})
    assert table[0].choices == ("0.00005", "10000000000000000", "2") and gold(table).text() == "A"
    table = lines(tmp_path, '{"question": "?", "choices": [1, Infinity], "answer": "A"}')
    with pytest.raises(ValueError, match="column choices must hold finite numbers only, got inf"):
        table[0]


@pytest.mark.parametrize("width", [16, 32, 64])
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_narrow_floats_are_the_numbers_that_were_written(tmp_path, width, form):
    pa = pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    from pyarrow import parquet

    kind = {16: pa.float16(), 32: pa.float32(), 64: pa.float64()}[width]
    columns = {
        "question": ["?", "?", "?"],
        "answer": pa.array([0.1, 3.7, None], kind),
        "choices": pa.array([[0.1, 0.2], [3.7, 4.0], None], pa.list_(kind)),
        "more": pa.array([[{"a": 0.1}], [], None], pa.list_(pa.struct([("a", kind)]))),
        "pairs": pa.array([[("k", 0.1)], [], None], pa.map_(pa.string(), kind)),
        "coded": pa.array([0.1, 0.2, 0.1], kind).dictionary_encode() if width > 16 else [0.1, 0.2, 0.1],
    }
    table = pa.table(columns)
    if form == "parquet":
        parquet.write_table(table, tmp_path / "t.parquet")
    else:
        with pa.ipc.new_file(str(tmp_path / "t.arrow"), table.schema) as writer:
            writer.write_table(table)
    table = open_table(TableConfig(str(tmp_path / f"t.{form}"), kind="number"))
    assert [table[number].answer for number in (0, 1)] == ["0.1", "3.7"] and gold(table).accepts("0.1")
    assert [table[number].choices for number in (0, 1)] == [("0.1", "0.2"), ("3.7", "4.0")]
    kept = table[0].columns
    assert kept["more"] == [{"a": 0.1}] and kept["pairs"] == [["k", 0.1]] and kept["coded"] == 0.1
    with pytest.raises(ValueError, match="column answer must not be null"):
        table[2]


def test_decimals_are_written_in_digits(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    from pyarrow import parquet

    values = [Decimal("0.00000010"), Decimal("1.50")]
    columns = {
        "question": ["?", "?"],
        "answer": pa.array(values, pa.decimal128(20, 8)),
        "choices": pa.array([values, values[:1]], pa.list_(pa.decimal128(20, 8))),
        "other": pa.array(values, pa.decimal128(20, 8)),
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = open_table(TableConfig(str(tmp_path / "t.parquet"), kind="number"))
    assert [table[number].answer for number in (0, 1)] == ["0.00000010", "1.50000000"]
    assert table[0].choices == ("0.00000010", "1.50000000") and table[0].columns["other"] == "0.00000010"
    assert gold(table).accepts("0.0000001") and gold(table, 1).accepts("1.5")


@pytest.mark.parametrize(
    ("choices", "below", "answer", "index"),
    [
        ({"A": "x", "B": None, "C": "z", "D": "w"}, "A. x\nC. z\nD. w", "C", "none"),
        ({"B": "no", "C": "yes"}, "B. no\nC. yes", "B", "none"),
        ({"C": "yes", "B": "no", "D": None}, "B. no\nC. yes", "B", "none"),
        ({"b": "no", "c": "yes"}, "B. no\nC. yes", "B", "none"),
        (
            {str(n): f"t{n}" for n in range(1, 12)},
            "\n".join(f"{'ABCDEFGHIJK'[n - 1]}. t{n}" for n in range(1, 12)),
            11,
            "from_1",
        ),
        ({"0": "no", "1": "yes"}, "A. no\nB. yes", 1, "from_0"),
        ({"0": None, "1": "no", "2": "yes"}, "B. no\nC. yes", 1, "from_0"),
        ({"1": "no", "3": "yes"}, "A. no\nC. yes", 3, "from_1"),
    ],
)
def test_an_object_s_options_keep_their_places(tmp_path, choices, below, answer, index):
    table = lines(tmp_path, {"question": "?", "choices": choices, "answer": answer}, index=index)
    assert table[0].chat[-1].text == f"?\n{below}"
    first = {"from_0": 0, "from_1": 1}.get(index)
    letter = answer if first is None else "ABCDEFGHIJK"[answer - first]
    told = choices[str(answer)] if first is not None else choices.get(answer, choices.get(letter.lower()))
    assert gold(table).text() == letter and gold(table).accepts(told) and gold(table).accepts(letter)
    others = [one for one in choices.values() if one not in (None, told)]
    assert not any(gold(table).accepts(one) for one in others)


def test_an_answer_that_means_two_options_is_refused(tmp_path):
    """The number of one and the text of another, or the letter of one and the text of another."""
    row = {"question": "?", "choices": {"1": "2", "2": "1", "3": "3", "4": "x"}, "answer": "2"}
    with pytest.raises(ValueError, match="line 1: column answer must mean one option, not be the key of one"):
        lines(tmp_path, row)[0]
    assert gold(lines(tmp_path, row | {"answer": "A"})).text() == "A"
    assert gold(lines(tmp_path, row | {"answer": "3"})).text() == "C"
    assert gold(lines(tmp_path, row | {"answer": 2}, index="from_1")).text() == "B"
    with pytest.raises(ValueError, match="column answer must mean one option, not be the key of one"):
        gold(lines(tmp_path, row | {"choices": {"A": "B", "B": "A"}, "answer": "A"}))


@pytest.mark.parametrize(
    ("choices", "index", "rule"),
    [
        ({"first": "x", "second": "y"}, "none", "must be a list of texts, or an object of texts by letters"),
        ({"A": "x", "2": "y"}, "none", "must be a list of texts, or an object of texts by letters"),
        ({"A": "x", "b": "y"}, "none", "must be a list of texts, or an object of texts by letters"),
        ({"": "x"}, "none", "must be a list of texts, or an object of texts by letters"),
        ({"-1": "x"}, "none", "must be a list of texts, or an object of texts by letters"),
        ({"1": "x", "01": "y"}, "none", "must have each place once"),
        ({"A": ["x"]}, "none", "must be a list of texts, or an object of texts by letters"),
        ({"0": "x", "1": "y"}, "from_1", "must count from 1, as the table's index says"),
        ({"1": "x", "2": "y"}, "from_0", "must count from 0, as the table's index says"),
    ],
)
def test_an_object_by_other_keys_is_refused(tmp_path, choices, index, rule):
    table = lines(tmp_path, {"question": "?", "choices": choices, "answer": "A"}, index=index)
    with pytest.raises(ValueError, match=rf"t\.jsonl line 1: column choices {rule}"):
        table[0]


@pytest.mark.parametrize("column", ["other", "answer", "choices", "images", "question", "system", "videos"])
def test_what_is_nested_without_end_is_one_line(tmp_path, column):
    """Of that row alone: the rows around it are read."""
    good = {"question": "?", "answer": "1"}
    deep = json.dumps(good | {column: "deep"}).replace('"deep"', DEEP)
    table = lines(tmp_path, good, deep, good)
    with pytest.raises(ValueError, match=rf"t\.jsonl line 2: column {column}.* must ") as caught:
        table[1]
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)
    assert table[0].answer == table[2].answer == "1"


def test_a_row_that_is_a_list_without_end_is_one_line(tmp_path):
    table = lines(tmp_path, {"question": "?", "answer": "1"}, DEEP)
    with pytest.raises(ValueError, match=r"t\.jsonl line 2 must be a JSON object, got "):
        table[1]


@pytest.mark.parametrize("role", [["user"], {"a": 1}, 3, True])
def test_a_role_that_is_no_text_is_one_line(tmp_path, role):
    table = lines(
        tmp_path, {"messages": [{"role": "user", "content": "x"}]}, {"messages": [{"role": role, "content": "x"}]}
    )
    with pytest.raises(ValueError, match=r"t\.jsonl line 2: column messages\[0\]\.role must be one of system, user"):
        table[1]
