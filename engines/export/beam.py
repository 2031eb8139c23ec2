"""The same shards through Apache Beam, on whatever runner its flags name; locally the DirectRunner."""

from collections.abc import Sequence

from engines.export.plan import Plan
from engines.export.shards import is_done, write_shard


def run(folder: str, plan: Plan, flags: Sequence[str] = ()) -> None:
    """Write every shard that is missing. Workers must see the folder under the same path, and have the engines."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    missing = [shard for shard in range(plan.shards()) if not is_done(folder, plan, shard)]
    if not missing:
        return
    with beam.Pipeline(options=PipelineOptions(list(flags))) as pipeline:
        (
            pipeline
            | "Shards" >> beam.Create(missing)
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.Map(_write, folder=folder, plan=plan)
        )


def _write(shard: int, folder: str, plan: Plan) -> int:
    return write_shard(folder, plan, shard)
