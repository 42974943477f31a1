"""`OnnxNetwork`: a neural network in an ONNX file, opened on first use and checked."""

from __future__ import annotations

import atexit
import contextlib
import errno
import gzip
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.free_memory import give_back

if TYPE_CHECKING:
    from numpy.typing import NDArray

Shape = tuple[int | None, ...]

DOWNLOAD_AGAIN = "download it again"
INSTALL_AGAIN = "install agentaudio again"
"""What to do about a broken file, for files of a checkpoint and for files that agentaudio ships."""

FINGERPRINT_BYTES = 1 << 20
LONGEST_RUN_S = 30.0
"""So long the end of the program waits for a run."""


class _Runs:
    """The runs in progress in all threads. The program ends after them.

    ONNX Runtime aborts a process that ends during one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._ending = False

    def __enter__(self) -> None:
        with self._changed:
            if self._ending:
                raise RuntimeError("the program is ending")
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def end(self) -> None:
        """Refuse further runs, and wait for those in progress."""
        with self._changed:
            self._ending = True
            self._changed.wait_for(lambda: self._count == 0, LONGEST_RUN_S)


_RUNS = _Runs()
atexit.register(_RUNS.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_RUNS.__init__)  # type: ignore[misc]  # the threads of those runs are not here


def refuse_telemetry() -> None:
    """Keep ONNX Runtime from reporting its use to Microsoft. Call it before that package is imported.

    Its official builds do so, and leave a file with a session id in the temporary folder.
    A value that the user has set is respected. Source: Privacy.md of the package, "Disabling Telemetry".
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class OnnxNetwork:
    """One ONNX file and the ONNX Runtime session that runs it. Several threads may share an instance.

    path: the file, not read before the first `run`; a name that ends in .gz is decompressed
    purpose: what needs the network, for the error message when ONNX Runtime is missing
    inputs: shape of each input in the order of the file, None where a size varies; other files are refused
    extra: the extra of agentaudio that installs ONNX Runtime for this purpose
    remedy: what to do about a broken file, for error messages
    threads: of one run; 0 leaves the number to ONNX Runtime, which takes every core. Two or more wait for
        work without spinning, so that they leave shared cores to others
    inner: names of tensors inside the network, which `run` returns after the outputs
    frees: give the memory of a run back after it, for networks whose runs take much and are seconds apart
    gpu: run on CUDA where the installed ONNX Runtime can, else on the CPU
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        purpose: str,
        *,
        inputs: tuple[Shape, ...],
        extra: str,
        remedy: str = DOWNLOAD_AGAIN,
        threads: int = 1,
        inner: tuple[str, ...] = (),
        frees: bool = False,
        gpu: bool = False,
    ) -> None:
        self.path = Path(path)
        self._purpose, self._inputs, self._extra, self._remedy = purpose, inputs, extra, remedy
        self._threads, self._inner, self._frees, self._gpu = threads, inner, frees, gpu
        self._session: Any = None
        self._run_options: Any = None
        self._names: list[str] = []
        self._loading = threading.Lock()

    def run(self, *inputs: NDArray[Any], keeps: bool = False) -> list[NDArray[Any]]:
        """All outputs, in the order of the file, then the inner tensors, for inputs in the order of the file.

        keeps: keep the memory of this run for the next one, although the network frees it otherwise

        Raises BackendError naming the file when it is missing, truncated or another network, or
        when the run fails or the program is ending, and MissingExtra without ONNX Runtime.
        """
        session = self._session or self._loaded()
        try:
            named = dict(zip(self._names, inputs, strict=True))
            with _RUNS:
                outputs: list[NDArray[Any]] = session.run(None, named, None if keeps else self._run_options)
            if self._frees and not keeps:
                give_back()
        except Exception as error:
            raise BackendError(
                f"{self.path} failed on inputs of {[i.shape for i in inputs]}: {_first_line(error)}"
            ) from error
        return outputs

    def metadata(self) -> Mapping[str, str]:
        """What the exporter wrote into the file, by name. Opens the file; raises what `run` raises then."""
        metadata: dict[str, str] = self._loaded().get_modelmeta().custom_metadata_map
        return metadata

    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the file: a digest of its size, first and last megabyte.

        Hashing half a gigabyte whole would take a second at every start.
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
            raise BackendError(f"{self.path} is missing; {self._remedy}") from None
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

    @contextlib.contextmanager
    def _content(self) -> Iterator[str | bytes]:
        """The file's path, its unpacked bytes, or the path of a temporary copy that has more outputs.

        A copy, because a session that is made of bytes keeps them as long as it lives.
        """
        packed = self.path.suffix == ".gz"
        if not self._inner:
            yield gzip.decompress(self.path.read_bytes()) if packed else str(self.path)
            return
        with tempfile.NamedTemporaryFile(suffix=".onnx") as copy:
            with gzip.open(self.path) if packed else self.path.open("rb") as file:
                shutil.copyfileobj(file, copy)
            copy.write(_outputs(self._inner))
            copy.flush()
            yield copy.name

    def _load(self) -> Any:
        refuse_telemetry()
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtra(self._purpose, self._extra) from None
        size = self._checked_size()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # plans for one size of the inputs, which vary here: only memory is lost
        if self._threads > 1:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = ["CUDAExecutionProvider"] if self._gpu else []
        providers = [*(p for p in wanted if p in onnxruntime.get_available_providers()), "CPUExecutionProvider"]
        try:
            with self._content() as content:
                session = onnxruntime.InferenceSession(content, options, providers=providers)
        except Exception as error:  # ONNX Runtime's errors share no base class
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise BackendError(f"no space for a temporary copy of {self.path}; free {size} bytes") from None
            raise BackendError(
                f"{self.path} is truncated or not an ONNX file ({size} bytes); {self._remedy} [{_first_line(error)}]"
            ) from error
        if self._frees:
            self._run_options = onnxruntime.RunOptions()
            self._run_options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self._names = [one.name for one in session.get_inputs()]
        found = tuple(tuple(one.shape) for one in session.get_inputs())
        if not _fits(found, self._inputs):
            raise BackendError(
                f"{self.path} is another network: it takes {_spelled(found)}, not {_spelled(self._inputs)}; "
                f"{self._remedy}"
            )
        return session


def _outputs(names: tuple[str, ...]) -> bytes:
    """Bytes that, put behind an ONNX file, add outputs to its graph.

    A message field that occurs twice is merged, and its repeated fields are joined: ModelProto.graph is
    field 7, GraphProto.output is field 12, ValueInfoProto.name is field 1.
    Source: the encoding of Protocol Buffers, "Last One Wins"; onnx.proto.
    """
    infos = (_field(12, _field(1, name.encode())) for name in names)
    return _field(7, b"".join(infos)) if names else b""


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a Protocol Buffers message; its number is below 16."""
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


def _fits(found: tuple[tuple[Any, ...], ...], wanted: tuple[Shape, ...]) -> bool:
    # A size that varies is a name or None in the file.
    return len(found) == len(wanted) and all(
        len(f) == len(w) and all(not (isinstance(a, int) and b) or a == b for a, b in zip(f, w, strict=True))
        for f, w in zip(found, wanted, strict=True)
    )


def _spelled(shapes: tuple[tuple[Any, ...], ...]) -> str:
    """Shapes as in "1x128x? and 1"; a question mark is a size that varies."""
    return " and ".join("x".join(str(size) if isinstance(size, int) else "?" for size in shape) for shape in shapes)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
