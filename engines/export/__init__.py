"""Samples as data sets on disk: `python -m engines.export --format parquet --samples 10000 --out DIR`.

`parquet` writes a folder that Hugging Face's `datasets.load_dataset(DIR)` opens with pictures; `array_record` one that
`tfds.data_source` opens, which reads any record alone and needs no TensorFlow; `tfds` one that `tfds.load` opens as
well, for which it holds every record a second time. Writing any of them needs no TensorFlow.

All are sharded. A shard is a function of the export's plan: written whole or never, skipped if it is there, so a
killed export goes on where it was and ends with the same bytes. Many machines share the work by `--shard I/N` (each
writes every N-th shard of one folder) or through Apache Beam (`--beam`, with the runner's own flags after it).

`manifest.json` says what the folder holds: the plan, the engines' versions, the libraries that drew the pictures, and
of each shard its samples, bytes and SHA-256. Paths may be local or, with gcsfs installed, `gs://`.
"""
