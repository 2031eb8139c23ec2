#!/usr/bin/env bash
# pytest-xdist 3.8.0 on pytest 9.2.0: --dist=loadgroup groups nothing, and says nothing.
#
# xdist tells its scheduler a test's group by writing "@group" behind the item's private _nodeid; since pytest 9.2 the
# node's name comes from another attribute, so the mark is lost and tests of one group run in several processes. What the
# group was for is quietly gone: a module's or session's fixture is made once per process (here: a suite took twice as
# long), and tests that may not meet do. pytest 9.0.2 still groups; --dist=loadfile and a scheduler of one's own by file
# (the hook pytest_xdist_make_scheduler) work on both. Seen: see the last lines.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > test_groups.py <<'PYTHON'
import os
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_of_one_group(number):
    time.sleep(0.2)
    with open("processes.txt", "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
PYTHON

workers() { # VERSION OPTION: in how many processes the eight tests ran
  rm -f processes.txt
  "$folder/venv/bin/pip" install --quiet "pytest==$1" pytest-xdist==3.8.0 2>/dev/null
  "$folder/venv/bin/python" -m pytest -q -p no:cacheprovider -n 2 "--dist=$2" >/dev/null
  sort -u processes.txt | wc -l
}
old=$(workers 9.0.2 loadgroup) new=$(workers 9.2.0 loadgroup) file=$(workers 9.2.0 loadfile)
echo "processes that ran one group: pytest 9.0.2 $old, pytest 9.2.0 $new; by file on 9.2.0 $file"
[[ $old == 1 && $new == 2 && $file == 1 ]]
# processes that ran one group: pytest 9.0.2 1, pytest 9.2.0 2; by file on 9.2.0 1
