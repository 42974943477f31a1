"""A neural network in an ONNX file: opened on first use, and what is wrong with the file said plainly."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from agentaudio.errors import BackendError, MissingExtra

Size = int | None
Shape = tuple[Size, ...]

FINGERPRINT_BYTES = 1 << 20


class OnnxNetwork:
    """What ONNX Runtime needs to run one file. One instance may serve several threads.

    path: the file; it is not read before the first `run`
    purpose: what needs the network, for the message when ONNX Runtime is missing
    inputs: shape of each input, None where it varies; a file that takes others is refused
    threads: of one run; 0 leaves it to ONNX Runtime, which takes every core
    gpu: run on CUDA where the installed ONNX Runtime can, else on the CPU
    """

    def __init__(
        self, path: str | os.PathLike[str], purpose: str, *, inputs: tuple[Shape, ...], threads: int, gpu: bool = False
    ) -> None:
        self.path = Path(path)
        self._purpose, self._inputs, self._threads, self._gpu = purpose, inputs, threads, gpu
        self._session: Any = None
        self._loading = threading.Lock()

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """The first output for these inputs, given in the order of the file.

        Raises BackendError naming the file when it is missing, cut short or another network, and
        MissingExtra without ONNX Runtime.
        """
        session = self._loaded()
        names = [one.name for one in session.get_inputs()]
        try:
            output: NDArray[Any] = session.run(None, dict(zip(names, inputs, strict=True)))[0]
        except Exception as error:
            raise BackendError(
                f"{self.path} failed on inputs of {[i.shape for i in inputs]}: {_first(error)}"
            ) from error
        return output

    def fingerprint(self) -> str:
        """What tells this file from another: 16 hexadecimal digits over its size, first and last megabyte.

        Half a gigabyte would take a second to hash whole, at every start.
        Raises BackendError when the file is missing.
        """
        size = self._checked_size()
        digest = hashlib.sha256(f"{size} bytes".encode())
        with self.path.open("rb") as file:
            digest.update(file.read(FINGERPRINT_BYTES))
            file.seek(max(0, size - FINGERPRINT_BYTES))
            digest.update(file.read())
        return digest.hexdigest()[:16]

    def _checked_size(self) -> int:
        try:
            with self.path.open("rb") as file:
                start = file.read(8)
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            raise BackendError(f"{self.path} is missing; download it again") from None
        except OSError as error:
            raise BackendError(f"cannot read {self.path}: {error.strerror}; check its permissions") from None
        if start == b"version ":
            raise BackendError(f"{self.path} is a Git LFS pointer, not the network; run `git lfs pull` in its folder")
        return size

    def _loaded(self) -> Any:
        with self._loading:
            if self._session is None:
                self._session = self._load()
            return self._session

    def _load(self) -> Any:
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtra(self._purpose, "local") from None
        size = self._checked_size()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        wanted = ["CUDAExecutionProvider"] if self._gpu else []
        providers = [*(p for p in wanted if p in onnxruntime.get_available_providers()), "CPUExecutionProvider"]
        try:
            session = onnxruntime.InferenceSession(str(self.path), options, providers=providers)
        except Exception as error:  # its errors share no base class
            raise BackendError(
                f"{self.path} is cut short or no ONNX file ({size} bytes); download it again [{_first(error)}]"
            ) from error
        found = tuple(tuple(one.shape) for one in session.get_inputs())
        if not _fits(found, self._inputs):
            raise BackendError(
                f"{self.path} is another network: it takes {_told(found)}, not {_told(self._inputs)}; "
                "give the file of the checkpoint"
            )
        return session


def _fits(found: tuple[tuple[Any, ...], ...], wanted: tuple[Shape, ...]) -> bool:
    # A size that varies is a name or None in the file.
    return len(found) == len(wanted) and all(
        len(f) == len(w) and all(not (isinstance(a, int) and b) or a == b for a, b in zip(f, w, strict=True))
        for f, w in zip(found, wanted, strict=True)
    )


def _told(shapes: tuple[tuple[Any, ...], ...]) -> str:
    return " and ".join("x".join(str(size) if isinstance(size, int) else "?" for size in shape) for shape in shapes)


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
