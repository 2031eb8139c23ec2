"""Compiled programs are kept between starts, for the same versions and kind of device alone."""

import os
import subprocess
import sys
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

from perc_jax.records import compile_cache
from tests import ROOT

# A program of a process of its own: what it kept, how many programs it found, and the result.
ONE_START = """
import sys, jax
from perc_jax.records import compile_cache
found = []
jax.monitoring.register_event_listener(lambda event, **_: found.append(event) if event.endswith("/cache_hits") else 0)
print(compile_cache.keep(sys.argv[1]))
def program(x):
    for _ in range(40):
        x = jax.numpy.sin(x @ x)
    return x
print(float(jax.jit(program)(jax.numpy.full((4, 4), 0.25)).sum()), len(found))
"""


def start(folder: str, **variables: str) -> tuple[str, str, int]:
    """Where a start kept its programs, its result, and how many it found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", ONE_START, folder],
        env=kept
        | {"JAX_PLATFORMS": "cpu", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "PYTHONPATH": str(ROOT)}
        | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    where, result = ended.stdout.splitlines()
    value, found = result.split()
    return where, value, int(found)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*-cache"))


def test_a_second_start_finds_what_the_first_compiled_unless_it_was_cut_off(tmp_path: Path) -> None:
    where, value, found = start(str(tmp_path))
    assert Path(where).parent == tmp_path and found == 0 and entries(tmp_path)
    assert start(str(tmp_path)) == (where, value, len(entries(tmp_path)))
    for entry in entries(tmp_path):
        entry.write_bytes(entry.read_bytes()[:-20])
    assert start(str(tmp_path)) == (where, value, 0)
    assert start(str(tmp_path)) == (where, value, len(entries(tmp_path)))


def test_the_default_is_the_user_s_cache_and_none_keeps_nothing(tmp_path: Path) -> None:
    where, *_ = start("", XDG_CACHE_HOME=str(tmp_path))
    assert Path(where).parent == tmp_path / "perc_jax" / "programs" and list(Path(where).iterdir())
    assert start("none", XDG_CACHE_HOME=str(tmp_path / "other"))[0] == ""
    assert not (tmp_path / "other").exists()


def test_jax_s_own_variable_comes_before_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = jax.config.jax_compilation_cache_dir
    assert before and compile_cache.keep("") == before and not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused_where_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cache must be a folder that can be written to, got '.*/file'"):
        compile_cache.keep(str(tmp_path / "file"))
    monkeypatch.setattr(jax.config, "update", lambda *_: pytest.fail("nothing can be kept"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(compile_cache.jax, "config", SimpleNamespace(jax_compilation_cache_dir=None))
    assert compile_cache.keep("") == ""


@pytest.mark.parametrize("what", ["version", "library", "backend", "device", "processor"])
def test_another_kind_of_machine_has_another_folder(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = compile_cache.kind()
    device = jax.devices()[0]
    other = {"platform": "cpu", "device_kind": device.device_kind, "version": device.client.platform_version}
    if what == "version":
        monkeypatch.setattr(jax, "__version__", "0.0.1")
    elif what == "library":
        monkeypatch.setattr(compile_cache.metadata, "version", lambda _: "0.0.1")
    elif what == "processor":
        monkeypatch.setattr(compile_cache, "_processor", lambda: ["flags: sse2"])
    else:
        other["version" if what == "backend" else "device_kind"] = "another"
    there = SimpleNamespace(
        platform=other["platform"],
        device_kind=other["device_kind"],
        client=SimpleNamespace(platform_version=other["version"]),
    )
    monkeypatch.setattr(jax, "devices", lambda: [there])
    assert compile_cache.kind() != before


def test_a_processor_is_told_by_what_it_can_do(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: One\ncpu MHz\t: 2000.1\nflags\t: fpu avx2\n" * 2)
    one = compile_cache._processor(file)
    file.write_text("processor\t: 0\nmodel name\t: One\ncpu MHz\t: 1500.0\nflags\t: fpu avx2\n")
    assert compile_cache._processor(file) == one
    file.write_text("processor\t: 0\nmodel name\t: One\ncpu MHz\t: 1500.0\nflags\t: fpu avx2 avx512f\n")
    assert compile_cache._processor(file) != one
    assert compile_cache._processor(tmp_path / "absent")


def test_what_was_not_read_for_long_goes_and_nothing_that_is_somebody_else_s(tmp_path: Path) -> None:
    folder, names = tmp_path / "jax1-cpu-a", ("jit_old-cache", "jit_new-cache", "jit_old.txt", "old-cache")
    for place in (folder, tmp_path / "jax2-cpu-b", tmp_path / "mine"):
        place.mkdir()
        for name in names:
            (place / name).write_bytes(zlib.compress(b"program"))
            if "old" in name:
                long_ago = time.time() - (compile_cache.UNREAD_DAYS + 1) * 24 * 3600
                os.utime(place / name, (long_ago, long_ago))
    compile_cache.sweep(folder)
    left = {place.name: {file.name for file in place.iterdir()} for place in tmp_path.iterdir()}
    assert left == {"jax1-cpu-a": {*names[1:]}, "jax2-cpu-b": {*names[1:]}, "mine": {*names}}
