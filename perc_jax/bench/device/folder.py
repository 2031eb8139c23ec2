"""The folder of a measurement: settings, a file for each part that was measured, the whole as JSON and as a page.

    FOLDER/settings.json    what was asked for; another measurement needs another folder
    FOLDER/parts/NAME.json  what a part found, or {"error": …}; there as soon as it is known
    FOLDER/device.json      all of them
    FOLDER/device.md        the same as tables
    FOLDER/logs/NAME.txt    what the part's process said
    FOLDER/profiles/        traces, for TensorBoard or Perfetto
    FOLDER/programs/        compiled programs, for parts that share some and for the next start

A part that found something is not measured again, so a command that was ended goes on where it was.
"""

import json
from pathlib import Path
from typing import Any

from etils import epath

from perc_jax.bench.device.parts import PARTS, Settings
from perc_jax.records.files import to_json, write_whole

DEVICE = ("kind", "platform", "count")  # by which a machine is known again


class Folder:
    """One measurement on disk."""

    def __init__(self, path: Path):
        self.path = path

    def begin(self, settings: Settings) -> None:
        """Note what is asked for. Raises `ValueError` where the folder holds a measurement of something else."""
        path, asked = self.path / "settings.json", settings._asdict()
        if path.exists():
            held = json.loads(path.read_text())
            for name, value in asked.items():
                if held.get(name) != value:
                    was = held.get(name)
                    raise ValueError(f"--{name} must be that of what --out {self.path} holds ({was}), got {value}")
        self._write(path, asked)

    def settings(self) -> Settings:
        """What was asked for."""
        return Settings(**json.loads((self.path / "settings.json").read_text()))

    def found(self, name: str) -> dict[str, Any]:
        """What a part found; empty if it was not measured."""
        path = self.path / "parts" / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def keep(self, name: str, found: dict[str, Any]) -> None:
        """Keep what a part found. Raises `ValueError` if the folder is another device's; whose it is stays."""
        if name == "device" and self.is_done(name):
            if "error" in found:
                return
            held = self.found(name)
            if any(held[one] != found[one] for one in DEVICE):
                was, now = (", ".join(str(one[key]) for key in DEVICE) for one in (held, found))
                raise ValueError(f"--out {self.path} must be of this device ({now}), got what was measured on {was}")
        self._write(self.path / "parts" / f"{name}.json", found)

    def is_done(self, name: str) -> bool:
        """Whether a part has found something."""
        found = self.found(name)
        return bool(found) and "error" not in found

    def whole(self) -> dict[str, Any]:
        """Everything so far, which is also written."""
        found = {"settings": self.settings()._asdict(), "parts": {}}
        for name in PARTS:
            if part := self.found(name):
                found["parts"][name] = part
        self._write(self.path / "device.json", found)
        return found

    def log(self, name: str) -> Path:
        """Where the process of a part writes what it says."""
        path = self.path / "logs" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _write(self, path: Path, found: dict[str, Any]) -> None:
        write_whole(epath.Path(path), to_json(found, indent=1))
