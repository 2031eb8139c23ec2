#!/usr/bin/env bash
# jax 0.10.2: a size limit put on a compilation cache that was filled without one ends caching for good.
#
# JAX_COMPILATION_CACHE_DIR alone keeps every compiled program for ever. Who sets JAX_COMPILATION_CACHE_MAX_SIZE when the
# folder has grown expects the oldest entries to go. But only entries written under a limit have a file with the time of
# their last use, and making room reads that of every entry: the first old one without raises FileNotFoundError, which
# JAX turns into a warning at each program. Nothing is removed, and nothing new is ever written again, however far the
# limit is; what is there is still read. Emptying the folder once helps. Seen: see the last lines.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2' 'filelock==3.20.0'
cat > "$folder/start.py" <<'PYTHON'
"""A start of a program: compiles one function for `size` numbers, and says what the cache holds and what was warned."""
import os
import sys
import warnings

import jax

cache, size, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
jax.config.update("jax_compilation_cache_dir", cache)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_compilation_cache_max_size", limit)
values = jax.numpy.ones(size)
function = jax.jit(lambda x: jax.numpy.sin(x) * size)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    function(values).block_until_ready()
kept = [name for name in os.listdir(cache) if name.startswith("jit__lambda") and name.endswith("-cache")]
print(len(kept), any("FileNotFoundError" in str(one.message) for one in said))
PYTHON
for start in "3 -1" "4 1000000000" "5 1000000000"; do
  # shellcheck disable=SC2086  # two arguments
  JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/start.py" "$folder/cache" $start >> "$folder/seen"
done
echo "programs kept, whether it warned; a start without a limit, then two with one of 1 GB:"
cat "$folder/seen"
[[ $(tr '\n' ';' < "$folder/seen") == "1 False;1 True;1 True;" ]]
# programs kept, whether it warned; a start without a limit, then two with one of 1 GB:
# 1 False
# 1 True
# 1 True
