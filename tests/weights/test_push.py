"""Pushing an export, against a stand-in for the hub on the loopback: what arrives, as whose, and what refusals say."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perc_jax.weights import push
from tests import ROOT, whole_runs
from tests.hub import Hub, Stored

REPO = "me/model"
PUSH = "import sys; from perc_jax.processes import ends; from perc_jax.weights import push\n"
PUSH += "with ends.told(): push.check(sys.argv[2], sys.argv[1]); print(push.push(sys.argv[1], sys.argv[2]))"
FETCH = "import sys; from perc_jax.prompt.pretrained import folder_of; print(folder_of(sys.argv[1]))"


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    found = Hub(refuses=getattr(request, "param", ""))
    yield found
    found.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What export might have written."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text("{}")
    (out / "model.safetensors").write_bytes(bytes(range(256)))
    return out


def pushed(folder: Path, hub: Hub, home: Path, **variables: str) -> subprocess.CompletedProcess:
    """In a process of its own: the hub's library reads its endpoint when it is imported."""
    return client(PUSH, folder, REPO, **(hub.variables(home) | variables))


def client(program: str, *words: object, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        env=whole_runs.environment(None, PYTHONPATH=str(ROOT), **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_files_arrive_in_a_private_repository_by_the_token(hub, folder, tmp_path):
    """Weights as a large object of the storage, which knows no token; small files with the commit."""
    ended = pushed(folder, hub, tmp_path / "home")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"pushed to {hub.url}/{REPO}/commit/1\n"
    weights = (folder / "model.safetensors").read_bytes()
    files = {"config.json": Stored(b"{}"), "model.safetensors": Stored(weights, "lfs")}
    assert hub.repos == {f"models/{REPO}": files} and list(hub.objects.values()) == [weights]
    [created] = hub.created
    assert (created["name"], created["organization"]) == ("model", "me")
    assert created.get("private") is True or created.get("visibility") == "private"
    assert hub.tokens == {"Bearer hf_secret"}


def test_what_was_pushed_comes_back_by_its_hub_id(hub, folder, tmp_path):
    assert pushed(folder, hub, tmp_path / "home").returncode == 0
    ended = client(FETCH, REPO, **hub.variables(tmp_path / "another"))
    assert ended.returncode == 0, ended.stderr
    assert {path.name: path.read_bytes() for path in Path(ended.stdout.strip()).iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


@pytest.mark.parametrize(
    ("hub", "words"),
    [
        ("create", "You don't have the rights to create a model under this namespace"),
        ("batch", "Private repository storage limit reached"),
        ("object", "Error while uploading 'model.safetensors' to the Hub."),
    ],
    indirect=["hub"],
)
def test_a_refusal_is_one_line_and_the_export_stays(hub, folder, tmp_path, words):
    ended = pushed(folder, hub, tmp_path / "home")
    assert ended.returncode == 2 and ended.stdout == "" and ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith(f"error: --push {REPO}: the hub refuses (") and words in ended.stderr
    assert ended.stderr.endswith(f"; the export stays in {folder}\n") and len(list(folder.iterdir())) == 2
    assert "hf_secret" not in ended.stderr and not any(hub.repos.values())


def test_a_hub_that_is_not_there_is_one_line(hub, folder, tmp_path):
    nowhere = {"HF_ENDPOINT": f"http://localhost:{whole_runs.free_port()}"}
    ended = pushed(folder, hub, tmp_path / "home", **nowhere)
    assert ended.returncode and ended.stdout == "" and ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith(f"error: --push {REPO}: the hub cannot be reached (")


def test_without_a_token_nothing_begins(hub, folder, tmp_path):
    ended = pushed(folder, hub, tmp_path / "home", HF_TOKEN="")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: --push needs a token: set HF_TOKEN, or log in once by `hf auth login`\n"
    assert hub.tokens == set()


@pytest.mark.parametrize(
    ("repo", "out", "words"),
    [
        ("a/b/c", "x", "must be a repository of the hub (owner/name), got 'a/b/c'"),
        ("alone", "x", "must name the owner too (owner/name), got 'alone'"),
        ("a/b", "gs://x", "needs a local --out, got gs://x"),
    ],
)
def test_what_cannot_be_pushed_is_told_first(repo, out, words):
    with pytest.raises(ValueError, match=f"^{re.escape(f'--push {words}')}$"):
        push.check(repo, out)
