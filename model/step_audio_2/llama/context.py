"""`Context`: a GGUF file in memory and the keys and values of its sequences, by llama.cpp's C interface.

All sequences share one store of cells. A copy of a sequence shares the cells of the original.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.generation.stop_flag import StopFlag

try:
    import llama_cpp
except ImportError as error:
    raise MissingExtra("Step-Audio 2 by llama.cpp", "llama-cpp") from error

BATCH = 512
"""Positions that one pass reads at most."""
_NO_CELL, _ABORTED = 1, 2
"""What llama_decode returns."""

_ERROR = 4
"""Source: ggml.h, enum ggml_log_level; llama-cpp-python shows these by older numbers."""

Float = NDArray[np.float32]
log = logging.getLogger(__name__)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator, unused-ignore]
def _hear(level: int, text: bytes, _: object) -> None:
    """What llama.cpp has to say."""
    log.log(logging.ERROR if level == _ERROR else logging.DEBUG, "%s", text.decode("utf-8", "replace").rstrip())


class Aborted(Exception):
    """A pass was stopped by its flag; what it had read is forgotten."""


class Cells:
    """A sequence of a context: keys and values of the positions that were read. It is freed with the object."""

    def __init__(self, context: Context, number: int, freed: Callable[[int], None]) -> None:
        self.context, self.number = context, number
        # Any thread may drop the last reference, also one that is inside llama.cpp: so it is only noted.
        weakref.finalize(self, freed, number).atexit = False


class Context:
    """A loaded GGUF file. Its methods may be called from any thread; one pass runs at a time.

    path: of the file
    positions: cells, shared by all sequences
    sequences: how many there can be at once
    outputs: positions of one pass whose logits are wanted, at most
    threads: that compute
    gpu_layers: layers on the GPU, where llama.cpp was built for one; -1 for all
    exact: keep keys and values in 32 bits instead of 16, and attend without flash attention

    positions: number of cells, rounded up by llama.cpp
    width, size: of a row of the input, and of the logits

    Raises BackendError when the file does not load.
    """

    def __init__(
        self, path: Path, *, positions: int, sequences: int, outputs: int, threads: int, gpu_layers: int, exact: bool
    ) -> None:
        llama_cpp.llama_log_set(_hear, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        model_options = llama_cpp.llama_model_default_params()
        model_options.n_gpu_layers = gpu_layers
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_options)
        if not model:
            raise BackendError(
                f"llama.cpp does not load {path}; there may be too little memory, or the file is damaged: delete it, "
                "and it is made again"
            )
        options = llama_cpp.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = positions, BATCH, BATCH
        options.n_seq_max = sequences
        if hasattr(options, "n_outputs_max"):  # older versions have memory for as many as positions
            options.n_outputs_max = max(outputs, sequences)
        options.n_threads = options.n_threads_batch = threads
        options.kv_unified = True
        options.no_perf = True
        if exact:
            options.type_k = options.type_v = llama_cpp.GGML_TYPE_F32
            options.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        handle = llama_cpp.llama_init_from_model(model, options)
        if not handle:
            llama_cpp.llama_model_free(model)
            raise BackendError(
                f"llama.cpp has no memory for {positions:,} positions; give a smaller context, such as context=8192"
            )
        self._handle: Any = handle
        self._free = weakref.finalize(self, _free, handle, model)
        # A thread may still compute when the process ends.
        self._free.atexit = False
        self._memory = llama_cpp.llama_get_memory(handle)
        self.positions = int(llama_cpp.llama_n_ctx(handle))
        self.width = int(llama_cpp.llama_model_n_embd(model))
        self.size = int(llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model)))
        self._lock = threading.RLock()
        self._numbers = list(range(sequences))
        self._dropped: deque[int] = deque()
        # llama.cpp asks a C function before each operation; see StopFlag.
        self._asked = ctypes.cast(ctypes.CDLL(None).strlen, llama_cpp.ggml_abort_callback)
        self._never = StopFlag()

    def close(self) -> None:
        """Free all memory, after the pass that is running. What is called afterwards raises BackendError."""
        with self._lock:
            self._handle = None
            self._free()

    def begin(self) -> Cells:
        """A new, empty sequence. Raises BackendError when there are too many."""
        with self._lock:
            self._sweep()
            if not self._numbers:
                raise BackendError("too many conversations are in memory; wait until one has ended")
            return Cells(self, self._numbers.pop(), self._dropped.append)

    def copy(self, cells: Cells, length: int) -> Cells:
        """A sequence that begins with the first positions of another one, whose cells it shares."""
        with self._lock:
            made = self.begin()
            llama_cpp.llama_memory_seq_cp(self._memory, cells.number, made.number, 0, length)
            return made

    def crop(self, cells: Cells, length: int) -> None:
        """Forget all positions after the first `length`."""
        with self._lock:
            self._sweep()
            llama_cpp.llama_memory_seq_rm(self._memory, cells.number, length, -1)

    def read(
        self, cells: Cells, begin: int, rows: Sequence[int] | Float, *, logits: bool, flag: StopFlag
    ) -> Float | None:
        """Read positions of one sequence.

        begin: the first of them; the sequence has been read up to it
        rows: token ids, or input rows (n, width) float32; at most BATCH
        logits: whether those of the last position are wanted
        flag: stops the pass when it is set
        returns: (size,) float32, a copy

        When it raises, the sequence is as before. Raises Aborted when the flag is set, OutOfCells when there are
        none left, BackendError when the computation fails.
        """
        count = len(rows)
        wanted = np.zeros(count, dtype=np.int8)
        wanted[-1] = logits
        with self._lock:
            self._decode(rows, np.arange(begin, begin + count, dtype=np.int32), [cells] * count, wanted, flag)
            return self._logits([count - 1])[0] if logits else None

    def step(self, cells: Sequence[Cells], ids: Sequence[int], positions: Sequence[int]) -> Float:
        """Read one token in each of several sequences. Raises as `read` does.

        returns: (sequences, size) float32, a copy
        """
        count = len(ids)
        with self._lock:
            self._decode(ids, np.array(positions, dtype=np.int32), cells, np.ones(count, dtype=np.int8), self._never)
            return self._logits(range(count))

    def _decode(
        self,
        rows: Sequence[int] | Float,
        positions: NDArray[np.int32],
        cells: Sequence[Cells],
        wanted: NDArray[np.int8],
        flag: StopFlag,
    ) -> None:
        self._sweep()
        count = len(cells)
        numbers = np.array([one.number for one in cells], dtype=np.int32)
        ones = np.ones(count, dtype=np.int32)
        ids = embeddings = None
        if isinstance(rows, np.ndarray):
            embeddings = np.ascontiguousarray(rows, dtype=np.float32)
            if embeddings.shape != (count, self.width):
                raise BackendError(f"input rows are {embeddings.shape}, and the weights take {(count, self.width)}")
        else:
            ids = np.array(rows, dtype=np.int32)
        one_each = (ctypes.POINTER(llama_cpp.llama_seq_id) * count)(
            *(ctypes.cast(numbers[k:].ctypes.data, ctypes.POINTER(llama_cpp.llama_seq_id)) for k in range(count))
        )
        batch = llama_cpp.llama_batch(
            count, _pointer(ids, ctypes.c_int32), _pointer(embeddings, ctypes.c_float),
            _pointer(positions, ctypes.c_int32), _pointer(ones, ctypes.c_int32), one_each,
            _pointer(wanted, ctypes.c_int8),
        )  # fmt: skip
        text = ctypes.cast(flag.text, ctypes.c_void_p)
        llama_cpp.llama_set_abort_callback(self._handle, self._asked, text)
        code = int(llama_cpp.llama_decode(self._handle, batch))
        llama_cpp.llama_set_abort_callback(self._handle, self._asked, ctypes.cast(self._never.text, ctypes.c_void_p))
        if not code:
            return
        for one, position in zip(cells, positions.tolist(), strict=True):
            # The first position of each sequence comes first.
            llama_cpp.llama_memory_seq_rm(self._memory, one.number, position, -1)
        if code == _ABORTED:
            raise Aborted
        if code == _NO_CELL:
            raise OutOfCells(
                f"the {self.positions:,} positions that there is memory for are taken; give a larger context, or wait "
                "until another answer has ended"
            )
        raise BackendError(f"llama.cpp failed to compute (code {code}); load the model again")

    def _logits(self, outputs: Sequence[int]) -> Float:
        """Logits of these positions of the last pass."""
        made = np.empty((len(outputs), self.size), dtype=np.float32)
        for row, output in enumerate(outputs):
            pointer = llama_cpp.llama_get_logits_ith(self._handle, output)
            if not pointer:
                raise BackendError("llama.cpp has lost the logits of a pass; load the model again")
            made[row] = np.ctypeslib.as_array(pointer, (self.size,))
        return made

    def _sweep(self) -> None:
        """Free the sequences that were dropped since."""
        if self._handle is None:
            raise BackendError("the model was closed; load it again")
        while self._dropped:
            number = self._dropped.popleft()
            llama_cpp.llama_memory_seq_rm(self._memory, number, -1, -1)
            self._numbers.append(number)


class OutOfCells(BackendError):
    """There is no room for further positions."""


def _pointer(array: NDArray[Any] | None, kind: Any) -> Any:
    return None if array is None else ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))


def _free(handle: Any, model: Any) -> None:
    llama_cpp.llama_free(handle)
    llama_cpp.llama_model_free(model)
