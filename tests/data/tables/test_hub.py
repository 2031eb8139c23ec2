"""A table by its hub id, from a stand-in for the hub: small files and large ones, as the hub keeps and links them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import ROOT, whole_runs
from tests.data.tables import peers
from tests.hub import Hub, Stored

REPO = "some-owner/rows"
READ = """
import json, sys
from perc_jax.config import TableConfig
from perc_jax.data.tables import open_table
from perc_jax.processes import ends
repo, cache, *splits = sys.argv[1:]
with ends.told():
    for split in splits:
        table = open_table(TableConfig(repo, split=split, cache=cache))
        rows = [table[number] for number in range(len(table))]
        pictures = [[picture.read().hex() for picture in row.pictures] for row in rows]
        print(json.dumps([[row.answer for row in rows], pictures]))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    found = Hub()
    yield found
    found.close()


def read(hub: Hub, tmp_path: Path, *splits: str, **variables: str) -> subprocess.CompletedProcess:
    """In a process of its own: the hub's library reads its endpoint when it is imported."""
    environment = whole_runs.environment(None, PYTHONPATH=str(ROOT), **(hub.variables(tmp_path / "home") | variables))
    command = [sys.executable, "-c", READ, REPO, str(tmp_path / "cache"), *splits]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("form", "kept", "processes"),
    [
        ("parquet", "lfs", [["train", "test"]]),
        ("parquet", "xet", [["train"], ["test"]]),
        ("jsonl", "plain", [["train", "test"]]),
        ("jsonl", "xet", [["train", "test"]]),
    ],
)
def test_a_table_is_read_by_its_hub_id_however_the_hub_keeps_it(hub, tmp_path, form, kept, processes):
    """Its bytes come once, by one process or several; from the storage, which refuses tokens, if they are large."""
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    answers = {"train": ["3", "larger"], "test": ["7"]}
    files = {}
    for split, named in answers.items():
        rows = [{"question": "<image>?", "image": peers.png(10), "answer": one} for one in named]
        file = tmp_path / f"{split}.{form}"
        if form == "parquet":
            peers.parquet(file, rows)
        else:
            plain = [{"question": "?", "answer": row["answer"]} for row in rows]
            file.write_text("".join(f"{json.dumps(row)}\n" for row in plain))
        files[f"data/{split}-00000-of-00001.{form}"] = Stored(file.read_bytes(), kept)
    hub.repos[f"datasets/{REPO}"] = {"README.md": Stored(b"# Rows"), **files}
    for splits in processes:
        ended = read(hub, tmp_path, *splits)
        assert ended.returncode == 0, ended.stderr
        for split, line in zip(splits, ended.stdout.splitlines(), strict=True):
            found, pictures = json.loads(line)
            assert found == answers[split]
            assert form == "jsonl" or pictures == [[peers.png(10).hex()]] * len(found)
    assert (hub.taken == []) == (kept == "plain") and len(hub.taken) == len(set(hub.taken))


@pytest.mark.skipif(find_spec("hf_xet") is None, reason="hf_xet is not installed")
@pytest.mark.parametrize("refuses", ["token", "reading"])
def test_a_refusal_of_the_hub_s_xet_storage_is_one_line(hub, tmp_path, refuses):
    hub.refuses = refuses
    hub.repos[f"datasets/{REPO}"] = {"train.jsonl": Stored(b'{"question": "?", "answer": "1"}\n', "xet")}
    ended = read(hub, tmp_path, "train", HF_HUB_DISABLE_XET="0")
    assert ended.returncode == 2 and ended.stdout == "" and ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith(f"error: data set {REPO} must be in a local folder or downloadable; the hub says: ")
    assert "403 Forbidden" in ended.stderr and "hf_secret" not in ended.stderr
