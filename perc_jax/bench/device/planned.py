"""What compiled programs need beside what `perc_jax.plan` says by formula: arguments, results and temporaries."""

from typing import Any

from perc_jax.config import StageConfig
from perc_jax.plan import forecast, formula, memory
from perc_jax.programs.compiled import Programs

SHOWN = ("prefill", "decode", "update")  # kinds of programs that take what a run has


def beside(programs: Programs, stage: StageConfig) -> dict[str, dict[str, float]]:
    """By program, bytes on one device: as compiled here, and by formula."""
    blueprints = programs.blueprints
    platform = programs.mesh.devices.flat[0].platform
    compiled = {one.name: one.call for one in programs.table}
    found: dict[str, dict[str, Any]] = {}
    for of_stage, blueprint in forecast.programs(blueprints):
        if of_stage != stage or blueprint.kind not in SHOWN or blueprint.name not in compiled:
            continue
        sizes = memory.sizes(compiled[blueprint.name], platform)
        by_formula, _ = formula.sizes(blueprint, blueprints, stage, platform)
        # What a program does not read of its arguments XLA leaves out; it exists all the same.
        kept = max(by_formula.arguments, sizes.arguments + sizes.outputs - sizes.aliased)
        found[blueprint.name] = {
            "compiled_bytes": kept + sizes.temporary,
            "formula_bytes": sum(by_formula),
            "compiled_temporary": sizes.temporary,
            "formula_temporary": by_formula.temporary,
        }
    return found
