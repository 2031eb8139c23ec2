"""A bucket on an emulator of Google Cloud Storage, seen from outside, for tests of gs://."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tests import ROOT, whole_runs

missing = [name for name in ("gcsfs", "gcp_storage_emulator") if find_spec(name) is None]
NEEDED = pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)}")


def environment(url: str) -> dict[str, str]:
    """This process's environment, with this program in it and gs:// at an address."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": paths, "STORAGE_EMULATOR_HOST": url, "TENSORSTORE_GCS_HTTP_URL": url}


class Bucket:
    """The emulator's bucket."""

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"
        self.env = environment(self.url)

    def read(self, name: str) -> bytes | None:
        """An object's content; None where there is none."""
        try:
            with urlopen(f"{self.url}/storage/v1/b/bucket/o/{quote(name, safe='')}?alt=media") as answer:
                return answer.read()
        except HTTPError:
            return None

    def names(self, prefix: str) -> list[str]:
        """The names of all objects that begin so."""
        with urlopen(f"{self.url}/storage/v1/b/bucket/o?prefix={quote(prefix, safe='')}") as answer:
            return sorted(item["name"] for item in json.load(answer).get("items", []))


@contextlib.contextmanager
def served() -> Iterator[Bucket]:
    """An emulator in a process of its own."""
    port = whole_runs.free_port()
    server = subprocess.Popen([sys.executable, "-m", "tests.records.gcs_server", str(port)], cwd=ROOT)
    found, until = Bucket(port), time.monotonic() + 60
    try:
        while True:
            try:
                urlopen(found.url + "/storage/v1/b").close()
                break
            except (URLError, ConnectionError):
                assert time.monotonic() < until and server.poll() is None
                time.sleep(0.1)
        yield found
    finally:
        server.kill()
        server.wait()
