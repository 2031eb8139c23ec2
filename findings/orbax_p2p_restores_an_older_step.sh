#!/usr/bin/env bash
# orbax-checkpoint 0.12.8: the manager of local copies, `experimental.emergency.p2p`, restores an older step than it has.
#
# It keeps checkpoints on each host's own disk, fetches those that a host has lost from the other hosts, and falls back
# to persistent storage. Where the newest checkpoint is on persistent storage and an older one on the disks, as after
# any persistent save whose step is no multiple of the local interval, `latest_step()` gives the older one, and
# `restore(None, …)` reads it without a word, though `all_steps()` has both: every step since is trained again, and what
# else was written of them no longer belongs to the state. Whoever uses it must compare and name the step.
#
# Seen:
#   all_steps [2, 3] latest_step 2
#   restored step 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 orbax-checkpoint==0.12.8
cd "$folder"
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import logging
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from orbax.checkpoint.experimental.emergency.p2p import args, checkpoint_manager, options

logging.getLogger("absl").setLevel(logging.ERROR)
local, persistent = pathlib.Path("local").absolute(), pathlib.Path("persistent").absolute()
local.mkdir(), persistent.mkdir()
mesh = Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("replica", "shard"))
sharding = NamedSharding(mesh, PartitionSpec())


def state(step):
    return {"x": jax.device_put(np.float32([step]), sharding)}


abstract = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding), state(0))


def manager():
    every = options.CheckpointManagerOptions(
        local=options.LocalCheckpointOptions(save_interval_steps=2),
        persistent=options.PersistentCheckpointOptions(save_interval_steps=3),
    )
    return checkpoint_manager.CheckpointManager(mesh, abstract, local, persistent, options=every)


saving = manager()
for step in (1, 2, 3):
    saving.save(step, args.Composite(state=ocp.args.PyTreeSave(state(step))))
    saving.wait_until_finished()
saving.close()
reading = manager()
steps, latest = list(reading.all_steps(read=True)), reading.latest_step()
found = int(reading.restore(None, args.Composite(state=ocp.args.PyTreeRestore(abstract)))["state"]["x"][0])
reading.close()
print(f"all_steps {steps} latest_step {latest}\nrestored step {found}")
assert (steps, latest, found) == ([2, 3], 2, 2), (steps, latest, found)
PYTHON
