"""Parquet shards in the form of Hugging Face's `datasets`: pictures are `{"bytes", "path"}`, declared as images."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engines.export.record import COLUMNS

ROWS_AT_ONCE = 100  # rows in a group: what a viewer must read to show one of them


def write(paths: list[Path], records: Iterable[dict[str, Any]]) -> None:
    """Write one shard to a local path, the only one given. Pictures do not shrink further, texts do."""
    import pyarrow as pa
    from pyarrow import parquet

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    types = {"string": pa.string(), "int64": pa.int64(), "bool": pa.bool_(), "float64": pa.float64()}
    fields = [("image", image), *((name, types[kind]) for name, kind in COLUMNS.items())]
    features = {"image": {"_type": "Image"}}
    features |= {name: {"dtype": kind, "_type": "Value"} for name, kind in COLUMNS.items()}
    schema = pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})
    with parquet.ParquetWriter(paths[0], schema, compression="zstd") as writer:
        rows = []
        for record in records:
            suffix = "jpg" if record["photographed"] else "png"
            rows.append({**record, "image": {"bytes": record["image"], "path": f"{record['id']}.{suffix}"}})
            if len(rows) == ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))
