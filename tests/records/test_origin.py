"""Where figures come from: the machine and the versions that are there, and no commit that is not the code's."""

import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from perc_jax.records import origin


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@x")
    done = subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with the package in it."""
    (tmp_path / "perc_jax").mkdir()
    (tmp_path / "perc_jax" / "__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_facts_name_machine_versions_and_command():
    found = origin.facts()
    for label in ("command", "processor", "cores", "memory in GB", "system", "python"):
        assert found[label], label
    for package in ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy"):
        assert found[package] == metadata.version(package)
    assert found["python"] == ".".join(map(str, sys.version_info[:3])) and found["cores"] >= 1
    assert 0.1 < found["memory in GB"] < 1e5
    assert shlex.split(found["command"])[1:] == sys.orig_argv[1:]


def test_a_command_can_be_typed_again():
    words = ["/opt/env/bin/python3", "-m", "perc_jax.train", "--workdir", "my runs/a", "--stages.1.steps", "4"]
    assert origin.command(words) == "python3 -m perc_jax.train --workdir 'my runs/a' --stages.1.steps 4"
    assert origin.command([]) == ""


def test_the_commit_is_that_of_the_code_and_says_what_was_changed(repository):
    assert git(repository, "rev-parse", "HEAD").startswith(origin.commit(repository)) and origin.commit(repository)
    origin.commit.cache_clear()
    (repository / "perc_jax" / "__init__.py").write_text("x = 1\n")
    assert origin.commit(repository).endswith(" with changes that are not committed")


def test_code_that_only_lies_within_a_repository_has_no_commit(repository):
    site = repository / "venv"
    (site / "perc_jax").mkdir(parents=True)
    (site / "perc_jax" / "__init__.py").write_text("")
    assert origin.commit(site) == ""


def test_without_git_there_is_no_commit(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert origin.commit(repository) == ""


def test_a_processor_without_a_name_is_its_kind(tmp_path):
    (tmp_path / "named").write_text("processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\n\nmodel name\t: other\n")
    (tmp_path / "arm").write_text("processor\t: 0\nBogoMIPS\t: 50\n")
    assert origin.processor(tmp_path / "named") == "Fast CPU @ 3 GHz"
    assert origin.processor(tmp_path / "arm") and origin.processor(tmp_path / "absent")
