"""A stand-in for the Hugging Face hub on the loopback: what its client asks for when it uploads or downloads a folder.

As on the hub, small files are the repository's own; large ones are kept elsewhere (LFS, and Xet on top of it): a link
to the storage is given, which is another host, is signed, and refuses tokens. The storage speaks LFS; Xet's own
protocol is not spoken, and clients without it take the same way.
"""

import base64
import functools
import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

COMMIT = "1" * 40
LARGE = (".safetensors", ".parquet", ".arrow", ".bin")  # what the hub's .gitattributes give to LFS
SIGNED = "signature"


class Stored(NamedTuple):
    """A file of a repository, and how it is kept: plain, lfs, xet."""

    content: bytes
    kept: str = "plain"

    @property
    def oid(self) -> str:
        """Its digest in LFS; of a plain file any name will do."""
        return hashlib.sha256(self.content).hexdigest()


class Server(ThreadingHTTPServer):
    """Says nothing of a client that went away."""

    daemon_threads = True

    def handle_error(self, *request: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)


class Hub(Server):
    """Repositories by the path of their API, `models/owner/name`, `datasets/owner/name`.

    Args:
        refuses: what it will not do: `create` a repository, take a large object (`batch`, `object`), give a `token`
            for Xet. (What such a token would be for is always refused.)
    """

    def __init__(self, refuses: str = ""):
        self.refuses, self.created, self.tokens = refuses, [], set()
        self.repos: dict[str, dict[str, Stored]] = {}
        self.objects: dict[str, bytes] = {}  # of the storage, by their digest
        self.taken: list[str] = []  # objects that were got from it
        super().__init__(("localhost", 0), Handler)
        self.storage = Server(("127.0.0.1", 0), functools.partial(Storage, hub=self))
        for server in (self, self.storage):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}"

    def link(self, oid: str) -> str:
        """Where the storage has an object, for one who has asked the hub."""
        return f"http://127.0.0.1:{self.storage.server_port}/{oid}?{SIGNED}=1"

    def variables(self, home: Any) -> dict[str, str]:
        """The environment of a client of this hub."""
        mine = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_secret"}
        return mine | {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}

    def close(self) -> None:
        for server in (self, self.storage):
            server.shutdown()
            server.server_close()


class Answering(BaseHTTPRequestHandler):
    """Answers in JSON or bytes."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def answer(self, code: int, content: Any = b"", **headers: str) -> None:
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(text))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


class Handler(Answering):
    """The hub itself."""

    def do_POST(self) -> None:
        hub, body, path = self.server, self.body(), urlsplit(self.path).path
        hub.tokens.add(self.headers["Authorization"])
        if path == "/api/repos/create":
            if hub.refuses == "create":
                refusal = "You don't have the rights to create a model under this namespace"
                return self.answer(403, {"error": refusal})
            hub.created.append(json.loads(body))
            name = f"{hub.created[-1]['organization']}/{hub.created[-1]['name']}"
            hub.repos[f"models/{name}"] = {}
            return self.answer(200, {"url": f"{hub.url}/{name}"})
        if path.endswith(".git/info/lfs/objects/batch"):
            if hub.refuses == "batch":
                return self.answer(403, {"error": "Private repository storage limit reached"})
            return self.answer(200, {"transfer": "basic", "objects": [*map(self._action, json.loads(body)["objects"])]})
        if path == "/verify":
            wanted = json.loads(body)
            is_there = len(hub.objects.get(wanted["oid"], b"")) == wanted["size"]
            return self.answer(200 if is_there else 404, {})
        for repo, files in hub.repos.items():
            if path == f"/api/{repo}/preupload/main":
                modes = {name: "lfs" if name.endswith(LARGE) else "regular" for name in _names(body)}
                found = [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]
                return self.answer(200, {"files": found})
            if path == f"/api/{repo}/commit/main":
                files |= dict(self._committed(json.loads(line)) for line in body.splitlines()[1:])
                url = f"{hub.url}/{repo.removeprefix('models/')}/commit/1"
                return self.answer(200, {"commitUrl": url, "commitOid": "1", "success": True})
        return self.answer(404, {"error": f"not a request of an upload: {path}"})

    def _action(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """What is to be done about an object of an upload: nothing if the storage has it."""
        if wanted["oid"] in self.server.objects:
            return wanted
        upload, verify = ({"href": href} for href in (self.server.link(wanted["oid"]), f"{self.server.url}/verify"))
        return wanted | {"actions": {"upload": upload, "verify": verify}}

    def _committed(self, entry: dict[str, Any]) -> tuple[str, Stored]:
        """A file of a commit; a large one must be in the storage."""
        value = entry["value"]
        if entry["key"] == "file":
            return value["path"], Stored(base64.b64decode(value["content"]))
        assert entry["key"] == "lfsFile" and value["algo"] == "sha256", entry
        content = self.server.objects[value["oid"]]
        assert len(content) == value["size"]
        return value["path"], Stored(content, "lfs")

    def do_GET(self) -> None:
        hub, path = self.server, urlsplit(self.path).path
        for repo, files in hub.repos.items():
            if path in (f"/api/{repo}/revision/main", f"/api/{repo}"):
                return self.answer(200, {"id": repo.partition("/")[2], "sha": COMMIT, "siblings": []})
            if path.startswith(f"/api/{repo}/tree/"):
                return self.answer(200, [_listed(name, one) for name, one in files.items()])
            if path.startswith(f"/api/{repo}/xet-read-token/"):
                return self._token()
            prefix = f"/{repo.removeprefix('models/')}/resolve/"
            if path.startswith(prefix) and (found := files.get(path.removeprefix(prefix).partition("/")[2])):
                return self._resolved(repo, found)
        return self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")

    do_HEAD = do_GET

    def _token(self) -> None:
        """What lets a client of Xet ask the storage."""
        if self.server.refuses == "token":
            return self.answer(403, {"error": "Xet is not for you"})
        where = f"http://127.0.0.1:{self.server.storage.server_port}"
        until = str(int(time.time()) + 3600)
        return self.answer(200, {}, X_Xet_Cas_Url=where, X_Xet_Access_Token="1", X_Xet_Token_Expiration=until)

    def _resolved(self, repo: str, found: Stored) -> None:
        """A file, or the link to it: its own size and digest stand in headers beside."""
        if found.kept == "plain":
            return self.answer(200, found.content, ETag=f'"{found.oid[:40]}"', X_Repo_Commit=COMMIT)
        self.server.objects[found.oid] = found.content
        link = {"Location": self.server.link(found.oid), "X_Repo_Commit": COMMIT, "ETag": '"of the link"'}
        linked = {"X_Linked_Size": str(len(found.content)), "X_Linked_ETag": f'"{found.oid}"'}
        if found.kept == "xet":
            refresh = f"{self.server.url}/api/{repo}/xet-read-token/{COMMIT}"
            linked |= {"X_Xet_Hash": found.oid, "Link": f'<{refresh}>; rel="xet-auth"'}
        return self.answer(302, f"Found. Redirecting to {link['Location']}".encode(), **link, **linked)


def _names(preupload: bytes) -> list[str]:
    return [file["path"] for file in json.loads(preupload)["files"]]


def _listed(name: str, found: Stored) -> dict[str, Any]:
    """A file as the listing of a tree has it."""
    entry: dict[str, Any] = {"type": "file", "oid": found.oid[:40], "size": len(found.content), "path": name}
    if found.kept != "plain":
        entry["lfs"] = {"oid": found.oid, "size": len(found.content), "pointerSize": 134}
    return entry | ({"xetHash": found.oid} if found.kept == "xet" else {})


class Storage(Answering):
    """The host that keeps large objects: whoever has a signed link may put and get, a token is refused."""

    def __init__(self, *arguments: Any, hub: Hub):
        self.hub = hub
        super().__init__(*arguments)

    def _oid(self) -> str:
        """The object that is asked for; empty if it may not be."""
        parts = urlsplit(self.path)
        return parts.path.strip("/") if SIGNED in parse_qs(parts.query) and not self.headers["Authorization"] else ""

    def do_PUT(self) -> None:
        content, oid = self.body(), self._oid()
        if not oid or hashlib.sha256(content).hexdigest() != oid or self.hub.refuses == "object":
            return self.answer(403, {"error": "SignatureDoesNotMatch"})
        self.hub.objects[oid] = content
        return self.answer(200)

    def do_GET(self) -> None:
        content = self.hub.objects.get(self._oid())
        if content is None:
            return self.answer(403, {"error": "SignatureDoesNotMatch"})
        self.hub.taken.append(self._oid())
        begin = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        return self.answer(206 if begin else 200, content[begin:], ETag='"of the storage"')

    do_HEAD = do_GET
