"""Measuring tables: what is measured is what training reads."""

import numpy as np
import pytest

from perc_jax.bench import tables
from perc_jax.config import TableConfig
from perc_jax.data.tables import open_table
from perc_jax.prompt.image import open_picture
from perc_jax.prompt.pretrained import Processor
from perc_jax.prompt.tokenizer import load

pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")


def test_every_row_of_the_order_is_read_and_the_table_is_as_asked(tmp_path, monkeypatch):
    path, order = tmp_path / "t.parquet", [5, 0, 11]
    tables.write(path, 12, 60)
    table = open_table(TableConfig(str(path), cache=str(tmp_path / "cache")))
    assert len(table) == 12 and table[11].answer == "11"
    (picture,) = table[3].pictures
    assert open_picture(picture.name, picture.read()).shape == (60, 60, 3)
    read = []
    row = tables._row
    monkeypatch.setattr(tables, "_row", lambda *given: read.append(given[1]) or row(*given))
    found = tables.ours(path, tmp_path / "cache", order, load("debug.model"), Processor(3136, 50_000), parts=2)
    assert read == [5, *order] and len(found.memory_mb) == 2
    assert found.rows_per_s > 0 and found.first_s > 0 and np.isfinite(found.memory_mb).all()
