"""Digests: every file is hashed once, by whichever process, and every change is found."""

import zlib

import jax
import pytest
from etils import epath

from perc_jax.records import digests

CONTENT = {"a": b"", "b/c": b"x" * 1000, "b/d/e": bytes(range(256)), "f": b"y"}


@pytest.fixture
def folder(tmp_path):
    for name, content in CONTENT.items():
        path = tmp_path / "state" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return epath.Path(tmp_path / "state")


def be(monkeypatch, rank, count):
    monkeypatch.setattr(jax, "process_index", lambda: rank)
    monkeypatch.setattr(jax, "process_count", lambda: count)


def test_the_digests_are_size_and_crc(folder, monkeypatch):
    monkeypatch.setattr(digests, "CHUNK_BYTES", 7)
    assert digests.gather(folder, folder.parent) == {
        name: [len(content), zlib.crc32(content)] for name, content in CONTENT.items()
    }


@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_processes_share_the_work_and_the_first_has_all(folder, monkeypatch, count):
    alone, shares = digests.gather(folder, folder.parent), {}
    for rank in range(1, count):
        be(monkeypatch, rank, count)
        share = digests.gather(folder, folder.parent)
        assert not shares.keys() & share.keys()
        shares |= share
    be(monkeypatch, 0, count)
    assert shares.keys() < alone.keys() and digests.gather(folder, folder.parent) == alone
    assert [path.name for path in folder.parent.iterdir()] == ["state"]


def test_a_process_that_does_not_answer_is_named(folder, monkeypatch):
    be(monkeypatch, 0, 2)
    monkeypatch.setattr(digests, "LIMIT_S", 0.2)
    with pytest.raises(TimeoutError, match=r"process 1 must hash its share of .* within 0.2 s"):
        digests.gather(folder, folder.parent)


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("harm", ["change", "remove"])
def test_the_file_that_changed_is_named(folder, name, harm):
    found = digests.gather(folder, folder.parent)
    assert digests.first_bad(folder, found) is None
    if harm == "remove":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(CONTENT[name][:-1] + b"!")
    assert digests.first_bad(folder, found) == name
