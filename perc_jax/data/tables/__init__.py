"""The user's own tables: JSON lines, JSON, Parquet, what `datasets` saved, data sets of the hub; rows by number.

`open_table(TableConfig(path="my.jsonl"))` finds the files (`files`), indexes them (`json_rows`, `arrow_rows`,
`parquet_rows`) and recognises the columns (`columns`); `table[i]` reads a row (`row`): its chat (`turns`), its pictures
(`pictures`) and its answer (`values`). What is wrong is one line (`errors`). Nothing here knows tokens or rewards.
"""

from perc_jax.data.tables.pictures import Picture
from perc_jax.data.tables.row import TableRow
from perc_jax.data.tables.table import Table, changes, open_table

__all__ = ["Picture", "Table", "TableRow", "changes", "open_table"]
