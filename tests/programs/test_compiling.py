"""Programs are compiled side by side, but not too many; what fails is told by the program's call and by the table."""

import contextlib
import threading
import time
from concurrent.futures import Future

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from perc_jax.programs import compiling
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.compiling import Begun, Compiled, Compiler


def blueprint(name, function=jnp.sin):
    """A program of eight numbers on one device."""
    mesh = jax.make_mesh((1,), ("one",), devices=jax.devices()[:1])
    numbers = jax.ShapeDtypeStruct((8,), jnp.float32, sharding=NamedSharding(mesh, PartitionSpec()))
    return Blueprint(name, function, {"x": numbers}, numbers, mesh)


@pytest.fixture
def gate(monkeypatch):
    """Compiling waits here until it is opened, and tells how many wait."""
    opened, waiting, most, lock = threading.Event(), [], [], threading.Lock()

    def compiled(name, lowered, seconds):
        with lock:
            waiting.append(name)
            most.append(len(waiting))
        assert opened.wait(60)
        with lock:
            waiting.remove(name)
        if name == "bad":
            raise RuntimeError("too large for any device")
        return Compiled(name, lowered.compile(), seconds, 0, 0)

    monkeypatch.setattr(compiling, "_compiled", compiled)
    monkeypatch.setattr(compiling, "_at_once", lambda platform: 3)
    yield opened, waiting, most
    opened.set()


def until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_as_many_as_there_are_processors_are_compiled_at_once_in_the_order_of_the_table(gate):
    opened, waiting, most = gate
    entered = []
    compiler = Compiler(lambda what: contextlib.nullcontext(entered.append(what)))
    for name in "abc":
        compiler(blueprint(name))
    until(lambda: len(waiting) == 3)
    fourth = threading.Thread(target=lambda: [compiler(blueprint(name)) for name in "de"])
    fourth.start()
    fourth.join(0.3)
    assert fourth.is_alive() and sorted(waiting) == ["a", "b", "c"]
    opened.set()
    fourth.join(60)
    assert [one.name for one in compiler.table()] == list("abcde") and max(most) == 3
    assert entered == [f"compiling {name}" for name in "abcdeabcde"]


@pytest.mark.parametrize(("platform", "cores", "wanted"), [("cpu", 64, 1), ("tpu", 64, 4), ("gpu", 2, 2)])
def test_one_at_a_time_where_the_compiler_takes_all_cores(monkeypatch, platform, cores, wanted):
    monkeypatch.setattr(compiling.os, "cpu_count", lambda: cores)
    assert compiling._at_once(platform) == wanted


def test_a_program_waits_until_it_can_be_called_and_is_what_compiling_it_alone_gives(gate):
    opened, waiting, _ = gate
    program = Compiler(contextlib.nullcontext)(blueprint("a", lambda x: jnp.tanh(3 * x)))
    until(lambda: waiting == ["a"])
    threading.Timer(0.1, opened.set).start()
    x = np.linspace(-1, 1, 8, dtype=np.float32)
    alone = blueprint("a", lambda x: jnp.tanh(3 * x)).compile()
    np.testing.assert_array_equal(program(x), alone(x))


def test_what_compiling_raises_comes_from_the_call_and_from_the_table_and_spares_others(gate):
    gate[0].set()
    compiler = Compiler(contextlib.nullcontext)
    good, bad, later = (compiler(blueprint(name)) for name in ("good", "bad", "later"))
    with pytest.raises(RuntimeError, match="too large"):
        bad(np.zeros(8, np.float32))
    with pytest.raises(RuntimeError, match="too large"):
        compiler.table()
    assert good(np.zeros(8, np.float32)).sum() == later(np.zeros(8, np.float32)).sum() == 0


def test_what_tracing_raises_comes_at_once(gate):
    compiler = Compiler(contextlib.nullcontext)
    with pytest.raises(TypeError):
        compiler(blueprint("a", lambda x: x @ "y"))
    assert compiler.table() == []


def test_its_threads_end_with_their_programs():
    before = set(threading.enumerate())
    compiler = Compiler(contextlib.nullcontext)
    for name in "abc":
        compiler(blueprint(name))
    assert [one.compile_s > 0 for one in compiler.table()] == [True] * 3
    until(lambda: set(threading.enumerate()) <= before)


def test_a_begun_program_is_told_by_its_name():
    future = Future()
    future.set_result(Compiled("a", lambda x: x + 1, 1.0, 2**20, 3 * 2**20))
    assert Begun("a", future)(1) == 2
    assert " ".join(future.result().told.split()) == "compiled a 1.0 s, 1 MB arguments, 3 MB temporary"
