"""perc_jax.weights on a checkpoint of 4 GB: memory beside the arrays, time beside safetensors' own read of the files.

`pytest -m slow -s tests/weights/test_weights_memory.py` prints the figures; it takes 4 GB of disk and 11 GB of memory.
"""

import json
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from perc_jax.config import ModelConfig, TextConfig, VisionConfig
from perc_jax.model import params
from perc_jax.weights import safetensors
from tests import ROOT

# Widths of the published 3B model, fewer layers: 2.0 billion parameters.
CONFIG = ModelConfig(
    VisionConfig(2, 1280, 16, 3420, (1,)),
    TextConfig(2048, 11008, 24, 16, 2, 128, 65536, (16, 24, 24)),
)

MEASURE = """
import json, sys, time
from pathlib import Path
import jax
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file
from tests.weights import test_weights_memory as this
from perc_jax.weights import safetensors
from perc_jax.model import abstract_params, params

def status(field):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(field))

folder, dtype = Path(sys.argv[1]), sys.argv[2]
plain = []
for _ in range(2):  # the first time, memory may be new to a virtual machine
    start = time.perf_counter(), time.process_time()
    tensors = [load_file(file) for file in sorted(folder.glob("*.safetensors"))]
    plain.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    del tensors
place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, dtype, sharding=place), abstract_params(this.CONFIG))
jax.block_until_ready(jax.device_put(np.zeros(8)))
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
before, start = status("VmRSS"), (time.perf_counter(), time.process_time())
loaded = safetensors.load_params(folder, this.CONFIG, target)
seconds = time.perf_counter() - start[0], time.process_time() - start[1]
peak = status("VmHWM")
sizes = [x.nbytes for x in jax.tree.leaves(loaded)]
gate = np.asarray(loaded["text"]["layers"]["mlp"]["gate"]["kernel"][7])
with safe_open(folder / "layer07.safetensors", framework="numpy") as content:
    equal = np.array_equal(gate, content.get_tensor("model.layers.7.mlp.gate_proj.weight").T)
print(json.dumps({"arrays": sum(sizes), "largest": max(sizes), "above": peak - before - sum(sizes), "equal": equal,
                  "load_s": seconds, "plain_s": min(plain)}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One shard per layer of the text model, one for all else; values are bits of positive bfloat16 below 1."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    files: dict[str, dict[str, np.ndarray]] = {}
    for leaf in params.table(CONFIG):
        bits = rng.integers(0, 0x3F00, leaf.tensor, np.uint16)
        for i, name in enumerate(leaf.names()):
            file = f"layer{i:02}.safetensors" if leaf.path.startswith("text/layers") else "rest.safetensors"
            files.setdefault(file, {})[name] = (bits + np.uint16(i)).view(jnp.bfloat16)
    for file, tensors in files.items():
        save_file(tensors, folder / file)
    places = {name: file for file, tensors in files.items() for name in tensors}
    (folder / safetensors.INDEX).write_text(json.dumps({"weight_map": places}))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_memory_beside_the_arrays_is_below_one_and_a_half_parameters(folder, dtype):
    ended = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder), dtype],
        capture_output=True, text=True, check=True, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    found = json.loads(ended.stdout)
    read_bytes = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    load, plain = (f"{wall:.1f} s ({cpu:.1f} s CPU)" for wall, cpu in (found["load_s"], found["plain_s"]))
    print(
        f"\n{read_bytes / 1e9:.2f} GB of bfloat16 into {found['arrays'] / 1e9:.2f} GB of {dtype} arrays: "
        f"{found['above'] / 1e9:.2f} GB above them at the peak, {found['above'] / found['largest']:.2f} times the "
        f"largest parameter; {load}, safetensors' own read of the files {plain}"
    )
    assert read_bytes > 4e9 and found["equal"]
    assert found["above"] < 1.5 * found["largest"]
