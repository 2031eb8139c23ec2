"""JSON files by rows: whatever they hold, in whatever layout, as `json` reads it whole."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.data.tables import json_rows
from perc_jax.data.tables.json_rows import open_json

TEXTS = st.text(alphabet='ab"\\[]{},: \n\u00e4\U0001f98b', max_size=8)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(TEXTS, v, max_size=4),
)
ROWS = st.lists(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("json") / "t.json"


def read(path):
    rows = open_json(str(path), str(path))
    return [rows[number] for number in range(len(rows))], rows


@given(ROWS, st.sampled_from([None, 0, 3]), st.booleans())
def test_a_list_is_read_member_by_member(file, rows, indent, ascii_only):
    file.write_text(json.dumps(rows, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    found, opened = read(file)
    assert found == rows and str(opened.where(len(rows) - 1)) == f"{file} row {len(rows) - 1}"


@given(
    ROWS,
    st.lists(st.sampled_from(["", "  ", "\t", " " * 12, "\t " * 4]), max_size=3),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_lines_are_read_one_by_one(file, rows, blank, end, last):
    """Also over the blocks in which a file is scanned; complaints count the empty lines, of whatever length."""
    kept, json_rows.BLOCK_BYTES = json_rows.BLOCK_BYTES, 64
    try:
        lines = [*blank, *(" " * len(blank) + json.dumps(row, ensure_ascii=False) for row in rows), *blank]
        # the first thing that is no space says that these are lines, and must be within the first block
        file.write_text(end.join(lines) + end * last, encoding="utf-8", newline="")
        found, opened = read(file)
    finally:
        json_rows.BLOCK_BYTES = kept
    assert found == rows
    assert [opened.where(number).row for number in range(len(rows))] == [len(blank) + n + 1 for n in range(len(rows))]


@pytest.mark.parametrize("space", ["", " \n"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"a": 1}}%s', "'}' at byte 9"),
        ('[{"a": 1}}%s garbage', "'}' at byte 9"),
        ('[{"a": 1}]%s garbage', "'g' at byte "),
        ('[{"a": 1}]%s"', "'\"' at byte "),
        ('[{"a": 1}]%s{"b": 2}', "'{' at byte "),
        ('[{"a": 1}]%s,', "',' at byte "),
        ("[}%s", "'}' at byte 1"),
    ],
)
def test_a_list_ends_with_its_bracket_and_so_does_the_file(file, text, said, space):
    file.write_text(text % space)
    with pytest.raises(ValueError, match=r"t\.json must be one list of JSON objects, got ") as caught:
        read(file)
    assert said in str(caught.value)
    file.write_text(f'[{{"a": 1}}]{space}')
    assert read(file)[0] == [{"a": 1}]


def test_the_index_is_small_and_the_digest_is_of_the_whole(file):
    rows = [{"a": str(number)} for number in range(1_000)]
    file.write_text("\n".join(map(json.dumps, rows)))
    opened = read(file)[1]
    assert opened.starts.dtype == opened.ends.dtype == np.int64 and opened.starts.nbytes == 8_000
    before = opened.digest
    file.write_text(file.read_text().replace('"500"', '"501"'))
    assert read(file)[1].digest != before
