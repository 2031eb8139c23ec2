"""Pushing an export, against a stand-in for the hub on the loopback: what arrives, as whose, and what refusals say."""

import base64
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from perc_jax.weights import push
from tests import ROOT, whole_runs

REPO = "me/model"
PUSH = "import sys; from perc_jax.processes import ends; from perc_jax.weights import push\n"
PUSH += "with ends.told(): push.check(sys.argv[2], sys.argv[1]); print(push.push(sys.argv[1], sys.argv[2]))"


class Hub(ThreadingHTTPServer):
    """The few requests that an upload of small files makes; it keeps what it gets."""

    daemon_threads = True

    def __init__(self, refuses: bool = False):
        self.refuses, self.created, self.files, self.tokens = refuses, [], {}, set()
        super().__init__(("localhost", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hub, body = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        hub.tokens.add(self.headers["Authorization"])
        if hub.refuses:
            return self._answer(403, {"error": "You don't have the rights to create a model under this namespace"})
        if self.path == "/api/repos/create":
            hub.created.append(json.loads(body))
            return self._answer(200, {"url": f"{hub.url}/{REPO}"})
        if self.path == f"/api/models/{REPO}/preupload/main":
            names = [file["path"] for file in json.loads(body)["files"]]
            plain = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            return self._answer(200, {"files": plain})
        if self.path == f"/api/models/{REPO}/commit/main":
            entries = [json.loads(line) for line in body.splitlines()]
            files = [entry["value"] for entry in entries if entry["key"] == "file"]
            hub.files |= {file["path"]: base64.b64decode(file["content"]) for file in files}
            return self._answer(200, {"commitUrl": f"{hub.url}/{REPO}/commit/1", "commitOid": "1", "success": True})
        return self._answer(404, {"error": f"not a request of an upload: {self.path}"})

    def do_GET(self) -> None:
        self._answer(404, {"error": "nothing there"})

    def _answer(self, code: int, content: dict) -> None:
        text = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    found = Hub(refuses=getattr(request, "param", False))
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What export might have written."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text("{}")
    (out / "model.safetensors").write_bytes(bytes(range(256)))
    return out


def pushed(folder: Path, url: str, home: Path, **variables: str) -> subprocess.CompletedProcess:
    """In a process of its own: the hub's library reads its endpoint when it is imported."""
    mine = {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    mine |= {"HF_TOKEN": "hf_secret", "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PUSH, str(folder), REPO]
    return subprocess.run(
        command,
        env=whole_runs.environment(None, **(mine | variables)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_files_arrive_in_a_private_repository_by_the_token(hub, folder, tmp_path):
    ended = pushed(folder, hub.url, tmp_path / "home")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"pushed to {hub.url}/{REPO}/commit/1\n"
    assert hub.files == {path.name: path.read_bytes() for path in folder.iterdir()}
    [created] = hub.created
    assert (created["name"], created["organization"]) == ("model", "me")
    assert created.get("private") is True or created.get("visibility") == "private"
    assert hub.tokens == {"Bearer hf_secret"}


@pytest.mark.parametrize("hub", [True], indirect=True)
def test_a_refusal_is_one_line_and_the_export_stays(hub, folder, tmp_path):
    ended = pushed(folder, hub.url, tmp_path / "home")
    assert ended.returncode == 2 and ended.stdout == "" and ended.stderr.count("\n") == 1, ended.stderr
    assert (
        ended.stderr.startswith(f"error: --push {REPO}: the hub refuses (") and "the rights to create" in ended.stderr
    )
    assert ended.stderr.endswith(f"; the export stays in {folder}\n") and len(list(folder.iterdir())) == 2
    assert "hf_secret" not in ended.stderr


def test_a_hub_that_is_not_there_is_one_line(folder, tmp_path):
    ended = pushed(folder, f"http://localhost:{whole_runs.free_port()}", tmp_path / "home")
    assert ended.returncode and ended.stdout == "" and ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith(f"error: --push {REPO}: the hub cannot be reached (")


def test_without_a_token_nothing_begins(hub, folder, tmp_path):
    ended = pushed(folder, hub.url, tmp_path / "home", HF_TOKEN="")
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
