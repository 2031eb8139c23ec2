"""Progress of long work in a log file: a plain line now and then, with the time left, and none for short work."""

from engines import progress


def test_a_log_gets_plain_lines_with_the_time_left(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress.progress("samples", 100, done=10) as advance:
        for _ in range(30):
            clock[0] += 4.0
            advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "samples 14/100, 6 min left" and len(lines) == 7 and "\x1b" not in "".join(lines)


def test_short_work_says_nothing(capsys):
    with progress.progress("samples", 5) as advance:
        advance(5)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress.progress("samples", 3) as advance:
        advance(3)
    assert "samples" in capsys.readouterr().err
