"""What four processes of one device, two in each tensor group, make of a batch: run as a program, prints JSON.

Rows go to the mesh, through a device program and back; rows are joined, sums made, and sharers agree.
"""

import json

import jax
import numpy as np

from perc_jax.config import MeshConfig
from perc_jax.mesh import hosts, sharding, shares

ROWS = 8


def main() -> None:
    """Do it and print what this process has."""
    hosts.connect(hosts.place())
    mesh = sharding.make_mesh(MeshConfig(tensor=2))
    share, batch = shares.own(mesh), np.arange(2.0 * ROWS, dtype=np.float32).reshape(ROWS, 2)
    mine = share.rows(ROWS)
    on_mesh = sharding.rows_to_mesh(batch[mine], mesh)
    weighted = jax.jit(lambda rows: (rows * np.arange(1, ROWS + 1)[:, None]).sum())(on_mesh)
    found = {
        "rows": mine,
        "shape": on_mesh.shape,
        "weighted": float(weighted),
        "back": sharding.rows_to_host(on_mesh)[:, 0].tolist(),
        "joined": sharding.rows_of_all_hosts(batch[mine], mesh)[:, 0].tolist(),
        "rolled": sharding.rolled_rows(batch[mine], mesh)[:, 0].tolist(),
        "sum": sharding.sum_over_hosts({"rows": float(len(mine)), "third": 1 / 3}, share),
        "counts": sharding.sum_array_over_hosts(np.bincount(mine, minlength=ROWS), share).tolist(),
        "largest": sharding.max_over_hosts(float(jax.process_index())),
        "agreed": sharding.as_first_sharer(np.array([jax.process_index()]), share).tolist(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
