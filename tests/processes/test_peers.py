"""Several processes of a run: when one ends, by an error, a bug, a kill or a signal, all do, and each says which and
why."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from perc_jax.processes import ends, peers
from tests import whole_runs

PROCESS = """
import signal, sys, threading, time
from perc_jax.processes import ends, interrupts, peers

rank, count, port, does = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
peers.SILENT_S, peers.BEAT_S = map(float, sys.argv[5:])
interrupts.leave_with("all is kept")

@ends.told()
def main():
    peers.join(rank, count, "localhost", port)
    print("begun", flush=True)
    try:
        with ends.at_once():
            exec(does)
    finally:
        if not does.endswith("pass"):
            threading.Event().wait()  # unwinding waits for others, as a checkpoint does

main()
"""
WAITS = "threading.Event().wait()"


@contextlib.contextmanager
def started(
    does: Sequence[str], silent_s: float = peers.SILENT_S, beat_s: float | None = None
) -> Iterator[list[subprocess.Popen]]:
    """A process for each text, which has joined the others and executes it."""
    times = str(silent_s), str(silent_s / 5 if beat_s is None else beat_s)
    port = whole_runs.free_port()
    with contextlib.ExitStack() as opened:
        found = []
        for rank, text in enumerate(does):
            words = [sys.executable, "-c", PROCESS, str(rank), str(len(does)), str(port), text, *times]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            found.append(opened.enter_context(process))
            opened.callback(process.kill)
        for process in found:
            assert process.stdout.readline() == "begun\n"
        yield found


def ends_of(processes: Sequence[subprocess.Popen]) -> list[tuple[int, str]]:
    """Exit code and last words of each, after a few seconds at most."""
    began = time.monotonic()
    said = [process.communicate(timeout=20)[1] for process in processes]
    assert time.monotonic() - began < 10
    return [(process.returncode, err) for process, err in zip(processes, said, strict=True)]


@pytest.mark.parametrize("guilty", [0, 2])
def test_an_error_of_one_is_the_end_of_all(guilty: int) -> None:
    does = [WAITS] * 3
    does[guilty] = "raise OSError(28, 'No space left', '/disk')"
    with started(does) as processes:
        found = ends_of(processes)
    said = "/disk: No space left\n"
    for rank, end in enumerate(found):
        by = f"process {guilty} of 3 ended the run: " if rank != guilty else ""
        assert end == (1, f"error: process {rank} of 3: {by}{said}")


def test_where_no_error_is_bad_input_a_lost_network_is_none_either() -> None:
    error = "raise ConnectionResetError(104, 'Connection reset by peer', 'gs://bucket/run')"
    with started([WAITS, f"with ends.at_once(ends.FAILED): {error}"]) as processes:
        found = ends_of(processes)
    assert [code for code, _ in found] == [1, 1] and "gs://bucket/run: Connection reset by peer" in found[0][1]


def test_a_bug_of_one_keeps_its_traceback_there() -> None:
    with started([WAITS, "1 / 0"]) as processes:
        other, guilty = ends_of(processes)
    assert other == (1, "error: process 0 of 2: process 1 of 2 ended the run: ZeroDivisionError: division by zero\n")
    assert guilty[0] == 1 and "Traceback" in guilty[1]
    assert guilty[1].endswith("error: process 1 of 2: ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    ("number", "code", "cause"),
    [
        (signal.SIGKILL, 1, "it was killed, or its machine is gone"),
        (signal.SIGTERM, 143, "terminated; all is kept"),
        (signal.SIGINT, 130, "interrupted; all is kept"),
    ],
)
@pytest.mark.parametrize("guilty", [0, 1])
def test_a_signal_to_one_is_the_end_of_all(guilty: int, number: int, code: int, cause: str) -> None:
    with started([WAITS, WAITS]) as processes:
        os.kill(processes[guilty].pid, number)
        found = ends_of(processes)
    other = 1 - guilty
    assert found[other] == (
        code,
        f"error: process {other} of 2: process {guilty} of 2 ended the run: {cause}\n",
    )


def test_an_error_that_follows_from_anothers_end_does_not_hide_its_cause() -> None:
    """When a process is gone, an exchange breaks in the others before they hear of it."""
    with started(["time.sleep(0.3); raise RuntimeError('connection reset')", WAITS]) as processes:
        time.sleep(0.2)
        processes[1].kill()
        found = ends_of(processes)
    assert found[0] == (
        1,
        "error: process 0 of 2: process 1 of 2 ended the run: it was killed, or its machine is gone\n",
    )


@pytest.mark.parametrize("guilty", [0, 2])
def test_a_process_that_stands_still_is_the_end_of_all(guilty: int) -> None:
    """Those that live end while it stands; it ends as soon as it goes on."""
    with started([WAITS] * 3, silent_s=1.5) as processes:
        os.kill(processes[guilty].pid, signal.SIGSTOP)
        others = [process for rank, process in enumerate(processes) if rank != guilty]
        found = ends_of(others)
        assert processes[guilty].poll() is None
        os.kill(processes[guilty].pid, signal.SIGCONT)
        found.insert(guilty, ends_of([processes[guilty]])[0])
    cause = "nothing was heard of it for 1.5 s: it is stopped, or its machine hangs"
    for rank, (code, err) in enumerate(found):
        assert code == 1 and err.startswith(f"error: process {rank} of 3: process ") and err.count("\n") == 1
        assert rank == guilty or err == f"error: process {rank} of 3: process {guilty} of 3 ended the run: {cause}\n"


def test_signs_of_life_keep_a_run_going_that_says_nothing() -> None:
    with started(["time.sleep(2)"] * 2, silent_s=0.5) as processes:
        time.sleep(1.5)
        assert [process.poll() for process in processes] == [None, None]
        for process in processes:
            process.kill()


@pytest.mark.parametrize("does", ["pass", "raise OSError(28, 'No space left', '/disk')"])
def test_signs_of_life_that_nobody_read_take_no_last_word_back(does: str) -> None:
    """A connection that is closed before all was read is reset, and what lies there for the other is lost."""
    reads_slowly = f"sys.setswitchinterval(1); {does}"
    for _ in range(3):
        with started([WAITS if "raise" in does else does, reads_slowly], beat_s=1e-5) as processes:
            found = ends_of(processes)
        if does == "pass":
            assert found == [(0, "")] * 2
        else:
            assert found[0] == (1, "error: process 0 of 2: process 1 of 2 ended the run: /disk: No space left\n")


def test_good_ends_are_no_news() -> None:
    with started(["pass", "pass", "pass"]) as processes:
        assert ends_of(processes) == [(0, "")] * 3


def test_who_does_not_come_is_named() -> None:
    with pytest.raises(TimeoutError, match=r"all 3 processes must come to port \d+ within 0.3 s, missing: 1, 2"):
        peers.join(0, 3, "localhost", whole_runs.free_port(), gather_s=0.3)


def test_a_process_0_that_is_not_there_is_named() -> None:
    port = whole_runs.free_port()
    with pytest.raises(OSError, match=r"process 0 must be reached here within 0\.3 s: Connection refused") as found:
        peers.join(1, 2, "localhost", port, gather_s=0.3)
    assert found.value.filename == f"localhost:{port}"


def test_a_process_0_that_waits_for_others_is_named() -> None:
    """Another is missing; this one's time is over first."""
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(TimeoutError, match=r"all processes within 0\.3 s, it still waits for some") as found:
            peers.join(1, 3, "localhost", port, gather_s=0.3)
    assert ends.reason(found.value).startswith(f"localhost:{port}: process 0 must have met all")
    assert ends.code_of(found.value, ends.FAILED) == ends.FAILED


def test_a_process_0_that_resets_the_connection_is_named() -> None:
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]

        def reset() -> None:
            link, _ = server.accept()
            link.recv(16)  # one that is reset while it is being made is made again
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()

        thread = threading.Thread(target=reset)
        thread.start()
        with pytest.raises(ConnectionError, match=rf"^localhost:{port} must be process 0 of this run.*it hung up$"):
            peers.join(1, 2, "localhost", port, gather_s=5.0)
        thread.join()


def test_a_process_that_is_gone_before_all_have_come_ends_the_run_by_its_own_end() -> None:
    """No broken pipe, which would be taken for that of the output."""
    port, found = whole_runs.free_port(), []
    thread = threading.Thread(target=lambda: found.append(peers._gather(3, port, 10.0)))
    thread.start()
    for rank in (1, 2):
        until = time.monotonic() + 10
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                link = socket.create_connection(("localhost", port))
                break
            assert time.monotonic() < until
        link.sendall(f"{rank}\n".encode())
        if rank == 1:
            time.sleep(0.3)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()
            time.sleep(0.3)
    assert link.recv(16) == b"all\n"
    thread.join()
    [links] = found
    assert set(links) == {1, 2}
    link.close()
    for one in links.values():
        one.lines.close(), one.to.close()
