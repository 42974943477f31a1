"""Reference vectors of Step-Audio 2: a folder of tensors, and a manifest with tolerances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

SHARED = Path(__file__).parents[3] / "shared" / "step_audio_2" / "vectors"
"""Default folder, beside the repository; `--vectors FOLDER` names another."""

_TYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "U8": "u1", "BOOL": "?"}
Tensors = dict[str, NDArray[Any]]


class Vectors:
    """A folder of vectors. A test that needs a missing file is skipped."""

    @classmethod
    def chosen(cls, config: pytest.Config) -> Vectors:
        """The folder of `--vectors`, else the shared one."""
        folder = config.getoption("--vectors")
        return cls(Path(folder) if folder else SHARED)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        manifest = folder / "manifest.json"
        if not manifest.is_file():
            pytest.skip(f"no reference vectors at {folder}; name their folder with --vectors")
        self._entries: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["entries"]

    def entry(self, name: str) -> dict[str, Any]:
        """The entry of a file in the manifest."""
        if name not in self._entries or not (self.folder / name).is_file():
            pytest.skip(f"the vectors at {self.folder} have no {name}")
        entry: dict[str, Any] = self._entries[name]
        return entry

    def json(self, name: str) -> Any:
        self.entry(name)
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def tensors(self, name: str) -> Tensors:
        self.entry(name)
        return read_safetensors(self.folder / name)

    def check(self, name: str, what: str, actual: Any, expected: NDArray[Any]) -> None:
        """Fail unless the arrays agree within the tolerance of the file."""
        tolerance = self.entry(name)["tolerance"]
        actual = np.asarray(actual)
        assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
        np.testing.assert_allclose(
            actual, expected, atol=tolerance["atol"], rtol=tolerance.get("rtol", 0), err_msg=f"{name}: {what}"
        )


def read_safetensors(path: Path) -> Tensors:
    """Read all arrays of a safetensors file, without the library, which some test environments lack."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(content[begin:end], _TYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
    return tensors
