"""run.json: facts of a run for its report, under the labels that the report shows; seconds add up over its starts."""

import json
import time
from datetime import datetime

import jax
from etils import epath

from perc_jax.records import origin
from perc_jax.records.files import to_json, write_whole
from perc_jax.records.metrics import CompileCounter, peak_rss_bytes


class Facts:
    """The facts of this start of a run, on top of those of the starts before."""

    def __init__(self, folder: epath.Path, compiles: CompileCounter):
        self._file, self._compiles, self._first_weights = folder / "run.json", compiles, "unknown"
        self._began, self._started = time.monotonic(), datetime.now().astimezone().isoformat(timespec="seconds")
        self._peak_bytes, self._before = 0, {}

    def begin_with(self, first_weights: str) -> None:
        """Note where the first weights of a run that begins are from."""
        self._first_weights = first_weights

    def go_on(self) -> None:
        """Take up what the starts before this one left, in a run that resumes."""
        self._before = json.loads(self._file.read_text()) if self._file.exists() else {}

    def write(self, parameters: int) -> None:
        """Write the file anew, on the first host; all hosts look at their memory now, while their workers live."""
        self._peak_bytes = max(self._peak_bytes, peak_rss_bytes())
        before, compile_s, run_s = self._before, self._compiles.seconds, time.monotonic() - self._began
        facts = origin.facts() | {
            "device": jax.devices()[0].device_kind,
            "devices": jax.device_count(),
            "hosts": jax.process_count(),
            "parameters": parameters,
            "first weights": before.get("first weights", self._first_weights),
            "started": before.get("started", self._started),
            "starts": before.get("starts", 0) + 1,
            "compile seconds": round(before.get("compile seconds", 0) + compile_s, 1),
            "peak memory in GB": round(max(before.get("peak memory in GB", 0), self._peak_bytes / 2**30), 2),
            "seconds in all": round(before.get("seconds in all", 0) + run_s),
        }
        if jax.process_index() == 0:
            write_whole(self._file, to_json(facts))
