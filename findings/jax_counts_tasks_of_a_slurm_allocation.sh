#!/usr/bin/env bash
# jax 0.10.2: in an interactive step of SLURM, its detection of clusters counts the tasks of the whole allocation.
#
# `salloc -n 2` opens a shell that is a step of one task: SLURM (22.05, seen on one node) writes SLURM_STEP_NUM_TASKS=1
# there, but SLURM_NTASKS=2, SLURM_PROCID=0 and all else that jax looks for. jax.distributed.initialize() without
# arguments, in a program that is begun in that shell, therefore takes itself for process 0 of 2 and waits for another
# that nobody starts: five minutes, then an error that speaks of a barrier. Begun by `srun` the two numbers agree.
# Here that environment is written by hand, and jax is asked what it makes of it. Seen: see the last line.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2'
interactive=(
  SLURM_JOB_ID=5 SLURM_NTASKS=2 SLURM_STEP_NUM_TASKS=1 SLURM_STEP_TASKS_PER_NODE=1 SLURM_STEP_NUM_NODES=1
  SLURM_STEP_NODELIST=localhost SLURM_PROCID=0 SLURM_LOCALID=0
)
env "${interactive[@]}" "$folder/venv/bin/python" - <<'PYTHON'
import os

from jax._src.clusters import SlurmCluster

found = SlurmCluster.is_env_present(), SlurmCluster.get_process_id(), SlurmCluster.get_process_count()
print(f"tasks of the step: {os.environ['SLURM_STEP_NUM_TASKS']}; jax: detected {found[0]}, process {found[1]} of {found[2]}")
assert found == (True, 0, 2), found
PYTHON
# tasks of the step: 1; jax: detected True, process 0 of 2
