"""Where a run's figures come from: the machine, the versions, the code and the command, as facts for `run.json`.

`facts()` gives them by the labels that the report shows. What cannot be found out is left out.
"""

import functools
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the repository, where the code lies in one
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "transformers")
GIT_S = 10.0  # after which git is not waited for
HASH_DIGITS = 12


def facts() -> dict[str, str | int | float]:
    """The command, the commit, the processor, cores and memory, and the versions, by label; memory in GB of 2^30 B."""
    found: dict[str, str | int | float] = {"command": command(sys.orig_argv)}
    if made_by := commit(ROOT):
        found["commit"] = made_by
    found |= {"processor": processor(), "cores": _cores(), "memory in GB": _memory_gb(), "system": platform.platform()}
    found["python"] = platform.python_version()
    for package in PACKAGES:
        if version := _version(package):
            found[package] = version
    return {label: value for label, value in found.items() if value}


def command(words: list[str]) -> str:
    """A command line as it can be typed again: the interpreter's name, not its place."""
    return shlex.join([Path(words[0]).name, *words[1:]]) if words else ""


@functools.cache
def commit(root: Path) -> str:
    """The commit of the code below a folder; empty where git does not know that code.

    `perc_jax` as installed within somebody else's repository is not that repository's: its files must be tracked.
    """
    if not _git(root, "ls-files", "--", "perc_jax/__init__.py"):
        return ""
    name = _git(root, "rev-parse", f"--short={HASH_DIGITS}", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "perc_jax", "engines", "configs")
    return name + (" with changes that are not committed" if name and changed else "")


def _git(root: Path, *words: str) -> str:
    """What git says in a folder; empty where there is no git, no repository or no answer."""
    try:
        ended = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=GIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""


def processor(file: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name: as Linux tells it, otherwise as Python does."""
    if file.is_file():
        fields = (line.partition(":") for line in file.read_text().splitlines())
        names = [value.strip() for field, _, value in fields if field.strip() == "model name"]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0


def _memory_gb() -> float:
    """The machine's memory."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):  # a system that does not say
        return 0.0
    return round(size / 2**30, 1)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
