"""How XLA is told to hurry: tests run programs once or twice, and compiling them is most of what the suite takes."""

import os
import subprocess
import sys

ASKED = "PERC_JAX_TESTS_XLA"  # what was found out, for all processes of this run of the suite
ASK = "from jaxlib import xla_client; xla_client.make_cpu_client()"
LEVEL = {"xla_backend_optimization_level": "0"}
# With it compiling takes a third. Newer compilers have no other fusions than by emitters, and not this option.
FUSIONS = {"xla_cpu_use_fusion_emitters": False}


def flags(options: dict[str, object]) -> str:
    """Options as they stand in XLA_FLAGS."""
    return " ".join(f"--{name}={value}".lower() for name, value in options.items())


def _is_known(options: dict[str, object]) -> bool:
    """Whether the installed compiler has these options: it ends its process at a flag that it does not know."""
    if ASKED not in os.environ:
        asked = subprocess.run(
            [sys.executable, "-c", ASK], env=os.environ | {"XLA_FLAGS": flags(options)}, capture_output=True
        )
        os.environ[ASKED] = "no" if asked.returncode else "yes"
    return os.environ[ASKED] == "yes"


OPTIONS = LEVEL | (FUSIONS if _is_known(FUSIONS) else {})
FLAGS = flags(OPTIONS)
