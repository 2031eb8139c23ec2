"""How JAX and XLA are told to hurry: tests run programs once or twice, and compiling them is most of what it takes."""

import os
import subprocess
import sys

ASKED = "PERC_JAX_TESTS_XLA"  # what was found out, for all processes of this run of the suite
ASK = "from jaxlib import xla_client; xla_client.make_cpu_client()"
LEVEL = {"xla_backend_optimization_level": "0"}
# Options that not every compiler has. Without fusion emitters compiling takes a third (newer compilers have no other
# fusions); cut into parts for several threads, a program costs a fifth more, and the other test process has the cores.
IF_KNOWN = ({"xla_cpu_use_fusion_emitters": False}, {"xla_cpu_parallel_codegen_split_count": 1})


def flags(options: dict[str, object]) -> str:
    """Options as they stand in XLA_FLAGS."""
    return " ".join(f"--{name}={value}".lower() for name, value in options.items())


def _is_known(options: dict[str, object]) -> bool:
    """Whether the installed compiler has these options: it ends its process at a flag that it does not know."""
    variables = os.environ | {"XLA_FLAGS": flags(options)}
    return subprocess.run([sys.executable, "-c", ASK], env=variables, capture_output=True).returncode == 0


def _known() -> list[dict[str, object]]:
    """The options that the installed compiler has."""
    if ASKED not in os.environ:
        places = range(len(IF_KNOWN))
        if not _is_known({name: value for one in IF_KNOWN for name, value in one.items()}):
            places = [place for place in places if _is_known(IF_KNOWN[place])]
        os.environ[ASKED] = " ".join(map(str, places))
    return [IF_KNOWN[int(place)] for place in os.environ[ASKED].split()]


# Locations in our source, of which every operation has a stack, are a twelfth of what tracing and lowering takes.
VARIABLES = {"JAX_TRACEBACK_IN_LOCATIONS_LIMIT": "0"}
OPTIONS = {name: value for options in (LEVEL, *_known()) for name, value in options.items()}
FLAGS = flags(OPTIONS)
