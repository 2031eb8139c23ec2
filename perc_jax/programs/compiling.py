"""Compiles programs side by side: they are traced one after another, and each is compiled by a thread of its own.

XLA's compiler for CPUs takes all cores for one program: there the next is traced meanwhile, and no more.

Hosts begin programs in the same order and leave none out, so that compilers which wait for one another (XLA's for GPUs
share what they try out) always find the one that they wait for.
"""

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import jax

from perc_jax.programs.blueprint import Blueprint

AT_ONCE = 4  # where the compiler does not take all cores; each may take gigabytes of the host's memory

Around = Callable[[str], contextlib.AbstractContextManager[Any]]  # entered with what is being compiled


class Compiled(NamedTuple):
    """A compiled program and what it costs."""

    name: str
    call: Callable[..., Any]
    compile_s: float  # tracing too; beside others it takes longer than alone
    argument_bytes: int  # per device
    temporary_bytes: int  # per device

    @property
    def told(self) -> str:
        """Its line on the screen."""
        sizes = [f"{size / 2**20:.0f} MB" for size in (self.argument_bytes, self.temporary_bytes)]
        return f"compiled {self.name:20} {self.compile_s:5.1f} s, {sizes[0]} arguments, {sizes[1]} temporary"


class Begun(NamedTuple):
    """A program whose compiling has begun. Called, it waits until it can be."""

    name: str
    future: Future[Compiled]

    def __call__(self, *arguments: Any) -> Any:
        """What the program makes of arrays that are laid out as its blueprint says."""
        return self.future.result().call(*arguments)


class Compiler:
    """Compiles blueprints, a few at once, within `around`: each may take minutes, and is a sign of life when it is
    done."""

    def __init__(self, around: Around):
        self._around, self._begun = around, list[Begun]()

    def __call__(self, blueprint: Blueprint) -> Begun:
        """Trace a program and begin to compile it, as soon as few enough others are under way.

        Raises what tracing raises; what compiling raises comes from the program's first call, or from `table`.
        """
        start = time.perf_counter()
        with self._around(f"compiling {blueprint.name}"):
            lowered = blueprint.lower()
            seconds = time.perf_counter() - start
            self._make_room(_at_once(blueprint.mesh.devices.flat[0].platform))
        thread = ThreadPoolExecutor(1)
        self._begun.append(Begun(blueprint.name, thread.submit(_compiled, blueprint.name, lowered, seconds)))
        thread.shutdown(wait=False)  # it ends with its one program
        return self._begun[-1]

    def _make_room(self, at_once: int) -> None:
        """Wait until one more program makes no more than so many at once."""
        while len(running := [one.future for one in self._begun if not one.future.done()]) >= at_once:
            wait(running, return_when=FIRST_COMPLETED)

    def table(self) -> list[Compiled]:
        """All programs in the order in which they were begun, when the last is compiled; raises what compiling did."""
        found = []
        for begun in self._begun:
            with self._around(f"compiling {begun.name}"):
                found.append(begun.future.result())
        return found


def _at_once(platform: str) -> int:
    return 1 if platform == "cpu" else min(AT_ONCE, os.cpu_count() or 1)


def _compiled(name: str, lowered: jax.stages.Lowered, seconds: float) -> Compiled:
    start = time.perf_counter()
    compiled = lowered.compile()
    seconds += time.perf_counter() - start
    memory = compiled.memory_analysis()
    return Compiled(name, compiled, seconds, memory.argument_size_in_bytes, memory.temp_size_in_bytes)
