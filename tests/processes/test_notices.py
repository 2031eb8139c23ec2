"""Notices: what ends a machine soon counts as SIGTERM, all else changes nothing, and nobody else is asked."""

import contextlib
import http.server
import json
import threading
import time

import pytest

from perc_jax.processes import interrupts, notices

PREFIX = "/computeMetadata/v1/instance/"
QUIET = {"maintenance-event": "NONE", "preempted": "FALSE"}
AHEAD = {"maintenanceStatus": "PENDING", "windowStartTime": "2026-12-07T04:00:00Z"}


class Metadata(http.server.BaseHTTPRequestHandler):
    """A metadata server: keys that it does not know are 404, requests without Google's header 403."""

    values: dict[str, str]
    asked: int

    def do_GET(self):
        self.server.asked += 1
        value = self.server.values.get(self.path.removeprefix(PREFIX))
        status = 403 if self.headers.get("Metadata-Flavor") != "Google" else 404 if value is None else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write((value or "").encode() if status == 200 else b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def metadata(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.values, server.asked = dict(QUIET), 0
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def not_asked():
    yield
    interrupts._asked.clear()


def wait_until(condition) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, ""),
        ({"upcoming-maintenance": json.dumps(AHEAD)}, ""),
        ({"maintenance-event": "MIGRATE_ON_HOST_MAINTENANCE"}, ""),
        ({"upcoming-maintenance": "no JSON"}, ""),
        ({"upcoming-maintenance": "[]"}, ""),
        (
            {"upcoming-maintenance": json.dumps(AHEAD | {"maintenanceStatus": "ONGOING"})},
            "upcoming-maintenance ONGOING",
        ),
        ({"preempted": "TRUE"}, "preempted"),
        ({"maintenance-event": "TERMINATE_ON_HOST_MAINTENANCE"}, "maintenance-event TERMINATE_ON_HOST_MAINTENANCE"),
    ],
)
def test_what_the_server_says_is_understood(metadata, values, found):
    metadata.values |= values
    assert notices.notice(notices.server()) == found


def test_a_notice_is_said_once_and_counts_as_sigterm(metadata):
    said: list[str] = []
    with notices.watched(said.append, every_s=0.01):
        wait_until(lambda: metadata.asked > 6)
        assert not interrupts.asked() and not said
        metadata.values["preempted"] = "TRUE"
        wait_until(interrupts.asked)
    assert said == ["the machine will be taken back (preempted): this step is the last one"]


def test_after_the_run_nothing_is_asked_or_said(metadata):
    said: list[str] = []
    with notices.watched(said.append, every_s=0.01):
        wait_until(lambda: metadata.asked > 3)
    time.sleep(0.1)
    before = metadata.asked
    metadata.values["preempted"] = "TRUE"
    time.sleep(0.1)
    assert metadata.asked == before and not said and not interrupts.asked()


def test_a_server_that_never_answers_is_left_alone(monkeypatch):
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:9")  # nobody listens
    monkeypatch.setattr(notices, "MISSES", 3)
    with notices.watched(pytest.fail, every_s=0.01):
        wait_until(lambda: "notices" not in {thread.name for thread in threading.enumerate()})
    assert not interrupts.asked()


def test_no_machine_but_googles_is_asked(monkeypatch, tmp_path):
    monkeypatch.delenv("GCE_METADATA_HOST", raising=False)
    monkeypatch.setattr(notices, "_value", pytest.fail)
    for text in (None, "KVM\n"):
        monkeypatch.setattr(notices, "MADE_BY", tmp_path / "product_name")
        if text:
            notices.MADE_BY.write_text(text)
        assert notices.server() == ""
        with contextlib.ExitStack() as stack:
            stack.enter_context(notices.watched(pytest.fail, every_s=0.01))
    notices.MADE_BY.write_text("Google Compute Engine\n")
    assert notices.server() == notices.SERVER
