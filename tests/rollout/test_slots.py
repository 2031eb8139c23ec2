"""Turns: every prompt enters one slot of its own device, once, in order; and how full the slots are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.rollout.slots import Schedule

MEAN, MOST, GROUP = 60, 512, 8  # tokens of geometric completions, where they are cut, completions of a prompt


class Device:
    """What a device does with its slots, in numbers of columns alone: lengths [P, G] are known beforehand."""

    def __init__(self, lengths: np.ndarray, slots: int, rows: int):
        self._lengths = lengths
        self._rows = np.zeros((slots, rows), int)  # columns until each row is free
        self._left: list[list[int]] = [[] for _ in range(slots)]
        self.live_rows = self.live_slots = 0

    def enter(self, slot: int, prompt: int) -> None:
        """The first token of each completion comes with the prompt."""
        assert not self._rows[slot].any() and not self._left[slot]
        self._left[slot] = (self._lengths[prompt] - 1).tolist()

    def decode(self) -> bool:
        """One column; whether there was anything to do."""
        for slot, row in np.argwhere(self._rows == 0):
            if self._left[slot]:
                self._rows[slot, row] = self._left[slot].pop(0)
        live = self._rows > 0
        self.live_rows += live.sum()
        self.live_slots += live.any(axis=1).sum()
        self._rows -= live
        return bool(live.any())

    def free(self) -> np.ndarray:
        """Slots with nothing to do."""
        return np.array([not rows.any() and not any(left) for rows, left in zip(self._rows, self._left, strict=True)])


def simulate(lengths: np.ndarray, slots: int, rows: int, segment: int) -> tuple[float, float]:
    """Shares of live rows and of live slots, as `Generation` counts them: lengths [devices, P, G]."""
    devices = [Device(of_device, slots, rows) for of_device in lengths]
    schedule, columns = Schedule(len(devices), lengths.shape[1], slots, 1), 0
    free = np.ones(len(devices) * slots, bool)
    while schedule.waiting or not free.all():
        while schedule.waiting:
            if schedule.used_up:
                schedule.move_on()
            places = schedule.enter(free)
            if places is None:
                break
            for device, first, (place,) in zip(devices, schedule.first, places, strict=True):
                if place < slots:
                    device.enter(place, first)
        columns += max(sum(device.decode() for _ in range(segment)) for device in devices)
        free = np.concatenate([device.free() for device in devices])
    total = columns * slots * len(devices)
    return sum(d.live_rows for d in devices) / (total * rows), sum(d.live_slots for d in devices) / total


def geometric(devices: int, prompts: int, seed: int = 0) -> np.ndarray:
    """Lengths of completions."""
    return np.minimum(np.random.default_rng(seed).geometric(1 / MEAN, (devices, prompts, GROUP)), MOST)


@given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 4), st.integers(1, 4), st.data())
def test_every_prompt_enters_a_free_slot_of_its_device_once_and_in_order(devices, prompts, slots, ahead, data):
    schedule = Schedule(devices, prompts, slots, ahead)
    free, entered = np.ones(devices * slots, bool), [[] for _ in range(devices)]
    schedule.move_on()
    for _ in range(200):
        if not schedule.waiting:
            break
        if schedule.used_up:
            schedule.move_on()
        before = free.copy()
        places = schedule.enter(free)
        assert (places is None) == (before == free).all()
        for device, row in enumerate(places if places is not None else ()):
            for entry, place in enumerate(row):
                if place < slots:
                    assert before[device * slots + place] and not free[device * slots + place]
                    entered[device].append(int(schedule.first[device]) + entry)
        free |= np.array(data.draw(st.lists(st.booleans(), min_size=len(free), max_size=len(free))))
        if places is None:
            free[:] = True
    assert entered == [list(range(prompts))] * devices


def test_a_slot_per_row_keeps_at_least_85_percent_of_the_rows_busy():
    """Completions of mean length 60, cut at 512: 512 on one device with 8 rows, 2,048 on four with 4 each."""
    for lengths, slots in ((geometric(1, 64), 8), (geometric(4, 64), 4)):
        of_rows, of_slots = simulate(lengths, slots=slots, rows=1, segment=32)
        assert of_rows == of_slots >= 0.85


@pytest.mark.parametrize(("rows", "least", "most"), [(8, 0.25, 0.40), (2, 0.70, 0.90)])
def test_rows_of_a_group_that_wait_for_its_longest_are_idle(rows, least, most):
    """Expected: G / (G - W + W * H_W), H_W the harmonic number, less what the last prompts leave idle."""
    of_rows, of_slots = simulate(geometric(1, 64), slots=8, rows=rows, segment=16)
    assert least <= of_rows <= most
    assert of_slots >= 0.85
