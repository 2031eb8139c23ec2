"""Train a model: run the stages of a config, from pictures to a better model and a report about it.

`python -m perc_jax.train [--config configs/x.py] [--model M] [--workdir DIR] [--field.sub value …]`; without `--config`
the debug recipe on the CPU. The workdir gets config.json, metrics.jsonl, checkpoints/, samples/, eval/, run.json and
report.html. Started again on the same workdir, the run goes on from its newest checkpoint. The loop itself is in
`run/loop.py`.

Exit codes: 0 done, 1 the run could not go on, 2 bad command line, 75 nothing moved any more, 130 Ctrl-C. In all cases
what was written stays, and the same command resumes.
"""

import sys
from collections.abc import Sequence

from perc_jax import cli
from perc_jax.processes import interrupts


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and run."""
    config, workdir = cli.parse(sys.argv[1:] if argv is None else argv, trains=True)
    interrupts.leave_with(f"interrupted; the same command resumes {workdir} from its newest checkpoint")
    try:
        from perc_jax.programs import patterns  # jax: seconds, for which --help and mistakes need not wait

        patterns.check(config)
    except ValueError as error:
        cli.fail(str(error))
    try:
        from perc_jax.mesh import hosts
        from perc_jax.run import loop

        hosts.connect()
        loop.run(config, workdir)
    except (ValueError, RuntimeError, OSError) as error:
        cli.fail(str(error), code=1)


if __name__ == "__main__":
    main()
