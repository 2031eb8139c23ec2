"""Train a model: run the stages of a config, from pictures to a better model and a report about it.

`python -m perc_jax.train [--config configs/x.py] [--model M] [--workdir DIR] [--field.sub value …]`; without `--config`
the debug recipe on the CPU. The workdir gets config.json, metrics.jsonl, checkpoints/, samples/, eval/, run.json and
report.html. Started again on the same workdir, the run goes on from its newest checkpoint. The loop itself is in
`run/loop.py`.

SIGTERM lets the step end and a checkpoint be written; in a run of several processes it is enough that one of them gets
it. `--stop-after 3h` does the same after that time. `--dry-run` says what would be done, and does nothing. With
`--max-restarts 5` this process only watches another, and starts it again when it ends by a kill, a hang or a failure.
`--profile 10:12` traces those steps for TensorBoard. Exit codes:
0 done, 1 the run could not go on, 2 bad command line, config, data or workdir, 3 stopped by `--stop-after`, 75 nothing
moved any more (1 without a line where a library kept the interpreter), 130 Ctrl-C, 143 SIGTERM. In all cases what was
written stays, and the same command resumes.
"""

import sys
import time
from collections.abc import Sequence

from perc_jax import cli
from perc_jax.processes import ends, interrupts


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and run."""
    began, words = time.monotonic(), sys.argv[1:] if argv is None else argv
    with ends.told():
        config, workdir, start = cli.parse_training(words)
        if start.max_restarts and not start.dry_run:
            from perc_jax.processes import supervisor

            raise SystemExit(supervisor.supervise(supervisor.command_of(words), workdir, start, began))
        interrupts.leave_with(f"the same command resumes {workdir} from its newest checkpoint")
        from perc_jax.programs import patterns  # jax: seconds, for which --help and mistakes need not wait

        patterns.check(config)
    with ends.told(code=ends.FAILED):
        from perc_jax.run import loop, rehearsal, together

        if start.dry_run:
            with ends.refused():
                for line in rehearsal.show(config, workdir, start):
                    print(line)
            return
        loop.run(config, workdir, start, began, together.connect())


if __name__ == "__main__":
    main()
