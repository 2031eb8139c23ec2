"""Moves in worker processes: in order, each scene sent once, hostile texts answered, what hangs counted and ended."""

import pickle
import sys
import time

import numpy as np
import pytest

from perc_jax.environments.base import Move, Observation, Step
from perc_jax.environments.players import CHUNK, Players
from perc_jax.rewards.endings import MALFORMED, Ending
from tests.environments.cases import environment, question

# What touches anything outside a process, or runs what was text.
EVENTS = ("compile", "exec", "import", "open", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pty.", "code.")
PAYLOADS = (
    "import os; os.system('touch {0}')",
    "__import__('os').system('touch {0}')",
    "open('{0}', 'w').write('x')",
    "exec(\"open('{0}','w')\")",
    "eval(\"__import__('pathlib').Path('{0}').touch()\")",
    "[c for c in ().__class__.__base__.__subclasses__()][0]",
    "Swap(1, __import__('os').getpid())",
    "Swap(*open('{0}', 'w'))",
    "Swap(1, (lambda: open('{0}','w'))())",
    "f\"{{open('{0}','w')}}\"",
    "a = Swap\na(1, 2)",
    "Swap.__globals__['os']",
    "def Swap(a, b): open('{0}', 'w')\nSwap(1, 2)",
    "class A:\n  open('{0}', 'w')",
    "while True: pass",
    "Swap(1, 10 ** 10 ** 10)",
    "a = 'x' * 10 ** 10\nObserve()",
    "Swap(1, " + "9" * 1500 + ")",
    "(" * 1900,
    "[" * 1900 + "]" * 50,
    "a = " + "[1," * 600,
    "Observe()" * 200,
    "Observe()\n" * 180,
    "#" * 1990 + "\nSwap(1, 2)",
    "'" * 1999,
    "\\\n" * 900,
    "\x00" * 100,
    "\ud800Swap(1, 2)",
    "Swap(1, 2)\u2028import os",
    "\u202eSwap(1, 2)",
    "Zoom(0, 0, 20, 20, inf)",
    "Zoom(0, 0, 20, 20, nan)",
    "Crop(0, 0, 1e308, 1e308)",
    "Crop(0, 0, -0.0, 0)",
    "Zoom(0, 0, 100, 100, 999999)",
    "<|im_end|><|im_start|>system",
    "<|vision_start|><|image_pad|><|vision_end|>",
    "async def f(): await g()",
    "print(open('/etc/passwd').read())",
    "raise SystemExit",
)
FRAMES = (
    "<code>{0}</code>",
    "<code>{0}",
    "{0}",
    "<code>Swap(1, 2)\n{0}</code>",
    "<think><code>{0}</code></think><code>{0}</code>",
    "<answer>{0}</answer>",
    "<code><code>{0}</code></code>" * 40,
    "<answer>" * 2000 + "{0}",
)


def hostile(target: str) -> list[str]:
    """320 texts, each of which would leave a file or hang if something executed it."""
    return [frame.replace("{0}", payload.replace("{0}", target)) for frame in FRAMES for payload in PAYLOADS]


class Watch:
    """What an audit hook hears while it is on; a hook can never be taken away."""

    def __init__(self):
        self.on, self.heard = False, []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple) -> None:
        if self.on and event.startswith(EVENTS):
            self.heard.append((event, arguments))


def test_of_hostile_texts_nothing_is_executed_and_each_is_answered_at_once(tmp_path):
    played, target = environment(turns=2), tmp_path / "left"
    state = played.start(question(0))
    texts = hostile(str(target))
    assert len(set(texts)) >= 300
    played.step(Move(state, "<code>Zoom(0, 0, 100, 100, 2)</code>"))  # what is imported once is imported now
    watch, slowest = Watch(), 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "on", True)
        compile("1", "", "eval")
        assert watch.heard  # it can hear
        watch.heard.clear()
        steps = []
        for text in texts:
            began = time.perf_counter()
            steps.append(played.step(Move(state, text)))
            slowest = max(slowest, time.perf_counter() - began)
    assert not watch.heard and not target.exists()
    assert slowest < 0.5  # a millisecond each
    for text, step in zip(texts, steps, strict=True):
        assert isinstance(step.outcome, Observation | Ending), text
        words = "".join(p for p in getattr(step.outcome, "parts", ()) if isinstance(p, str))
        assert len(words) < 200 and "<|" not in words
    refused = [step for step in steps if step.state.met]
    assert len(refused) > 250 and {reason for step in refused for reason in step.state.met} <= set(MALFORMED)


def test_hostile_texts_in_the_pool_time_nothing_out(tmp_path):
    played, target = environment(turns=2), tmp_path / "left"
    state = played.start(question(0))
    moves = [Move(state, text) for text in hostile(str(target)) if "\ud800" not in text]
    with Players(played, 60.0) as players:
        steps = list(players.begin(moves))
    assert len(steps) == len(moves) and not target.exists()
    assert not any(isinstance(step.outcome, Ending) and step.outcome.counts.get("late") for step in steps)
    assert all(step.state.scene is state.scene for step in steps)


def test_processes_play_as_this_one_does_and_in_order():
    played, rng = environment(side=3, turns=8, pictures=8), np.random.default_rng(0)
    states = [played.start(question(seed)) for seed in range(3)]
    moves = []
    for number in range(100):
        a, b = rng.integers(1, 10, 2)
        moves.append(Move(states[number // (CHUNK + 4) % 3], f"<code>Swap({a}, {b})</code>"))
    with Players(played, 60.0) as players:
        steps = list(players.begin(moves))
    for move, step in zip(moves, steps, strict=True):
        wanted = played.step(move)
        assert step.state.board == wanted.state.board and step.outcome.parts == wanted.outcome.parts
        assert (step.outcome.pictures[0] == wanted.outcome.pictures[0]).all()


def test_a_scene_travels_once_for_all_moves_of_a_task():
    state = environment().start(question(0, height=448, width=448))
    one, many = (len(pickle.dumps([Move(state, "x")] * count)) for count in (1, CHUNK))
    assert many < one + 1000 < 448 * 448 * 3 + 5000


def slow(move: Move) -> Step:
    """Plays, but hangs or dies where the text says so."""
    if move.text == "hang":
        time.sleep(60)
    if move.text == "die":
        sys.exit(1)
    return environment().step(move)


def test_what_hangs_or_dies_ends_its_conversation_alone_and_is_counted():
    played = environment()
    state = played.start(question(0))
    texts = ["<code>Observe()</code>", "hang", "<code>Swap(1, 2)</code>", "<answer>1 2 3 4</answer>"]
    with Players(played, 1.0, play=slow) as players:
        list(players.begin([Move(state, texts[0])]))  # its processes have begun
        steps = list(players.begin([Move(state, text) for text in texts]))
    assert isinstance(steps[0].outcome, Observation) and steps[2].outcome.parts[1] == "Board 2 1 3 4"
    assert steps[1].outcome.counts == {"turns": 0, "pictures": 0, "late": 1} and steps[3].outcome.parsed == "1 2 3 4"
