"""What concerns all engines together: equal bytes in every process and byte order, rare duplicates, colours apart."""

import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import engines
from engines.base import make_rng
from engines.base import pose as pose_of
from engines.check.cell import Cell, digest
from engines.style import PALETTE

MAX_DUPLICATES = 0.001  # share of the samples of the default mixture
MIN_DELTA_E = 20.0  # CIE76, between any two colours that may be named
DIGESTS_AT = (0, 4, 9)  # levels
_PHILOX_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_PHILOX_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_WORD = 2**64 - 1


class Duplicates(NamedTuple):
    """Samples of the default mixture whose scene and question had come before."""

    samples: int
    repeated: int
    by_type: dict[str, tuple[int, int]]  # samples, repeated

    def share(self) -> float:
        """Repeated samples out of all."""
        return self.repeated / max(self.samples, 1)


def names_to_repeat(cells: list[Cell]) -> list[dict[str, Any]]:
    """Samples whose bytes another process must make again: one a type at a low, a middle and a high level."""
    return [
        {
            "name": c.engine,
            "split": c.split,
            "index": 1,
            "level": c.level,
            "question_type": c.kind,
            "photo": c.level == 4,
        }
        for c in cells
        if c.level in DIGESTS_AT and not c.failed["pose"] and not c.failed["picture"]
    ]


def digests(names: list[dict[str, Any]]) -> list[str]:
    """One digest of everything in each sample."""
    found = []
    for name in names:
        s = engines.sample(**name)
        rest = (s.question, s.answer, s.facts, s.scene, s.scene_text, s.query, s.marks, s.guess_rate)
        found.append(hashlib.sha256(s.image.tobytes() + repr(rest).encode()).hexdigest())
    return found


def irreproducible(names: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The names whose samples come out otherwise in a new process with another hash seed, in reverse order.

    Raises `RuntimeError` with the last line of its complaint if that process cannot make them.
    """
    code = "import json, sys; from engines.check.whole import digests; print(*digests(json.load(sys.stdin)))"
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(names[::-1]),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"another process cannot make the samples: {(run.stderr.splitlines() or ['killed'])[-1]}")
    return [name for name, a, b in zip(names, digests(names), run.stdout.split()[::-1], strict=True) if a != b]


def depends_on_byte_order() -> str | None:
    """What is wrong with the random streams, if anything.

    The stream of a name is computed a second time in whole numbers alone, which have no byte order: the key from the
    hash of the name's JSON, then Philox 4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
    """
    for name in (("grid", 1, "locate", "train", 17, 3, 0), ("photo", "chart", 2)):
        key = hashlib.blake2b(json.dumps(name).encode(), digest_size=16).digest()
        low, high = (sum(byte << 8 * place for place, byte in enumerate(key[k : k + 8])) for k in (0, 8))
        expected = [word for block in (1, 2, 3) for word in _philox((block, 0, 0, 0), (low, high))]
        found = make_rng(*name).bit_generator.random_raw(len(expected)).tolist()
        if found != expected:
            return f"the stream of {name} begins with {found[0]:#x}, expected {expected[0]:#x}"
    return None


def duplicates(
    count: int, kinds: set[tuple[str, str]] | None = None, advance: Callable[[int], None] = lambda _: None
) -> Duplicates:
    """Draw `count` samples as training does: categories in turn, level and type by the name of the sample.

    The main categories among those of `kinds`, or whichever these are where none is a main one.
    """
    seen: set[bytes] = set()
    samples, repeated = Counter(), Counter()
    audited = [name for name in engines.ENGINES if kinds is None or any(engine == name for engine, _ in kinds)]
    names = [name for name in audited if name in engines.MAIN] or audited
    for index in range(count):
        engine = engines.ENGINES[names[index % len(names)]]
        rng = make_rng("mixture", index)
        level = int(rng.integers(10))
        types = [t for t in engine.types if not t.held_out and (kinds is None or (engine.name, t.name) in kinds)]
        if not types:
            continue
        kind = types[int(rng.integers(len(types)))]
        posed = pose_of(engine, kind, split="train", index=index, level=level)
        mark = digest(json.dumps(posed.scene.to_json(), sort_keys=True) + posed.question)
        name = f"{engine.name}.{kind.name}"
        samples[name] += 1
        repeated[name] += mark in seen
        seen.add(mark)
        advance(1)
    by_type = {name: (samples[name], repeated[name]) for name in sorted(samples)}
    return Duplicates(samples.total(), repeated.total(), by_type)


def near_colours() -> Iterator[str]:
    """Pairs of the palette that are too close to be told apart by name."""
    labs = {name: _lab(np.array(colour, float) / 255) for name, colour in PALETTE.items()}
    for (one, a), (other, b) in itertools.combinations(labs.items(), 2):
        distance = float(np.linalg.norm(a - b))
        if distance < MIN_DELTA_E:
            yield f"colours {one} and {other} differ by {distance:.1f}, need {MIN_DELTA_E:.0f}"


def _lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB in 0..1 as CIE L*a*b* under D65 (IEC 61966-2-1, ISO/CIE 11664-4)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ linear / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _philox(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """Ten rounds of Philox 4x64 in whole numbers."""
    a, b, c, d = counter
    for _ in range(10):
        one, other = a * _PHILOX_MULTIPLIERS[0], c * _PHILOX_MULTIPLIERS[1]
        a, b, c, d = (other >> 64) ^ b ^ key[0], other & _WORD, (one >> 64) ^ d ^ key[1], one & _WORD
        key = ((key[0] + _PHILOX_WEYL[0]) & _WORD, (key[1] + _PHILOX_WEYL[1]) & _WORD)
    return a, b, c, d
