"""How every test runs: eight fake CPU devices, signatures' shapes checked, no network, the same examples each time."""

import functools
import gc
import os
import re
import signal
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from beartype import BeartypeConf
from beartype.claw import beartype_package
from hypothesis import settings
from jaxtyping import install_import_hook

from tests import ROOT, quick, whole_runs
from tests.run.nursery import Nursery

if "jax" in sys.modules:
    raise RuntimeError("tests/conftest.py must be imported before jax: the devices are counted at its import")

os.environ["JAX_PLATFORMS"] = "cpu"

os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", ""), quick.FLAGS, "--xla_force_host_platform_device_count=8"]
).strip()
os.environ |= quick.VARIABLES
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # tests start many processes: each would compile our modules anew

# Where signatures have shapes they are checked with them; elsewhere types alone, which costs a tenth of that a call.
# Names that are imported for signatures only beartype does not find on its own, and jaxtyping leaves aside.
SHAPED = re.compile("jaxtyping|TYPE_CHECKING")
FILES = [path for path in (ROOT / "perc_jax").rglob("*.py") if SHAPED.search(path.read_text())]
beartype_package("perc_jax", conf=BeartypeConf(claw_is_pep526=False, is_pep484_tower=True))
install_import_hook([".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES], "beartype.beartype")

# One folder of compiled programs for all processes of a run of the suite, those that tests start included, and for its
# next runs, until `pytest --cache-clear`. JAX names what it keeps by the program, so what has changed is compiled anew.
KEPT = "PERC_JAX_TESTS_KEPT"  # set by the first process, for all others
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
if KEPT not in os.environ:
    from perc_jax.records import compile_cache

    os.environ[KEPT] = compile_cache.keep(str(ROOT / ".pytest_cache" / "d" / "programs"))
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ[KEPT]

settings.register_profile("perc_jax", deadline=None, max_examples=30, derandomize=True, database=None)
settings.load_profile("perc_jax")

LOOPBACK = ("localhost", "127.", "::1")


# Files that name one of these, or are it, share what it runs or compiles, and go to one process.
WHOLE_RUNS = "reference_run"
SHARED = (WHOLE_RUNS, "tests.model.parity", "tests.update.test_update")
COMPILES = re.compile("^(import|from) jax|whole_runs", re.MULTILINE)  # these files take longer than most others


@functools.cache
def _shares(path: Path) -> str:
    """The first of `SHARED` that a file names or is; empty if none."""
    text, own = path.read_text(), ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return next((name for name in SHARED if name in text or name == own), "")


@functools.cache
def _compiles(path: Path) -> bool:
    return COMPILES.search(path.read_text()) is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with whole runs come first, as they last longest, then others that share, then those that compile: the last
    ones of a suite, for which one process waits for another, are short. Whatever asks for torch is `parity`."""
    order = {name: place for place, name in enumerate((*SHARED, ""))}
    items.sort(key=lambda item: (order[_shares(item.path)], not _compiles(item.path)))
    for item in items:
        if "torch" in item.fixturenames:
            item.add_marker(pytest.mark.parity)


def pytest_collection_finish() -> None:
    """The collector leaves alone what is there before the first test (modules and tests) and comes less often: tracing
    makes so many objects that looking through all of them would take a tenth of the suite."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """One process per file, and one for all files that share. (xdist's own groups do nothing with pytest 9.2.)"""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return _shares(ROOT / file) or file

    return ByFile(config, log)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that leaves this machine is a failure; sockets within it (worker processes) are not."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            raise RuntimeError(f"tests may not use the network, tried {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def ctrl_c() -> None:
    """Programs that a test starts hear Ctrl-C: a command that was called in this process has blocked it for itself."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """The oracle of the parity tests, and with it transformers' own model; without it they are skipped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pytest.importorskip("torch", reason="the reference model needs torch")
        pytest.importorskip("transformers", minversion="5.5.4", reason="older ones scale image positions")
        pytest.importorskip("transformers.models.qwen2_5_vl.modeling_qwen2_5_vl")  # it warns when it is imported
    return found


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of published tokenizers, weights' configs and benchmark files; the test is skipped without it."""
    folder = os.environ.get("PERC_JAX_REFERENCE_DATA")
    if not folder:
        pytest.skip("PERC_JAX_REFERENCE_DATA is not set: no reference data to compare with")
    if not Path(folder).is_dir():
        pytest.fail(f"PERC_JAX_REFERENCE_DATA must be a folder, got {folder!r}")
    return Path(folder)


@pytest.fixture(scope="session")
def reference_run(tmp_path_factory: pytest.TempPathFactory) -> whole_runs.Reference:
    """The short config, run once and undisturbed; what it compiled is kept for the runs that follow."""
    folder = tmp_path_factory.mktemp("reference")
    workdir, cache = folder / "run", folder / "cache"
    return whole_runs.Reference(workdir, whole_runs.finished(workdir, cache=cache, JAX_LOG_COMPILES="1"), cache)


@pytest.fixture(scope="session")
def nursery(reference_run: whole_runs.Reference) -> Iterator[Nursery]:
    """What begins programs that find the reference run's, with their modules loaded."""
    with Nursery(whole_runs.environment(reference_run.cache)) as found:
        yield found
