"""`faster_file`: the faster graph of Kokoro on this machine, made once and kept beside the weights."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agentaudio.errors import BackendError, WeightsError
from agentaudio.files import replacing
from agentaudio.model.kokoro.rewriting import RANGES, VERSION
from agentaudio.onnx import OnnxNetwork
from agentaudio.workers.worker import Worker

log = logging.getLogger(__name__)

WORKER = "agentaudio.model.kokoro.rewriting_worker"
TIMEOUT_S = 300.0
"""The work takes about 10 s of one core."""


@contextlib.contextmanager
def faster_file(source: OnnxNetwork, outputs: tuple[str, ...], *, again: bool = False) -> Iterator[Path]:
    """The path of the faster graph, in a file that stays at least until the block ends.

    source: the graph kokoro-v1.0.int8.onnx
    outputs: inner tensors, which are outputs of the faster graph
    again: make it also if it is there

    It is made in a child process, in one step: several threads and processes may call this at the same time. If the
    folder of the source cannot be written, the file is a temporary one. Raises BackendError when the graph cannot be
    made, or does not sound like the source on this machine, and WeightsError when no file can be written.
    """
    kept = source.path.with_name(_name(source, outputs))
    if kept.is_file() and not again:
        yield kept
        return
    try:
        with replacing(kept, error=WeightsError) as temporary:
            _make(source.path, temporary, outputs)
    except WeightsError as error:
        log.warning("the faster graph of Kokoro is made at every start: %s", error)
    else:
        yield kept
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.NamedTemporaryFile(suffix=".onnx"))
            _make(source.path, Path(file.name), outputs)
        except OSError as error:
            raise WeightsError(f"no space for a temporary file: {error.strerror or error}; free 100 MB") from None
        yield Path(file.name)


def has_dot_product(machine: str, cpuinfo: str) -> bool:
    """Whether ONNX Runtime multiplies signed weights exactly.

    machine: as platform.machine() gives it
    cpuinfo: content of /proc/cpuinfo, empty if there is none

    On x86 processors without VNNI it adds pairs of products in 16 bits, which saturates.
    """
    if machine.lower() not in ("x86_64", "amd64", "i386", "i686"):
        return True
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(cpuinfo.split())


def multiplies_signed_exactly() -> bool:
    """`has_dot_product` of this machine."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        cpuinfo = ""
    return has_dot_product(platform.machine(), cpuinfo)


def _name(source: OnnxNetwork, outputs: tuple[str, ...]) -> str:
    """The name of the kept file: of the source, of all that changes the result, and of the kind of processor."""
    key = hashlib.sha256(f"{source.fingerprint()} {VERSION} {outputs}".encode())
    key.update(RANGES.read_bytes())
    return f"{source.path.stem}.fast-{key.hexdigest()[:16]}-{'s8' if multiplies_signed_exactly() else 'u8'}.onnx"


def _make(source: Path, target: Path, outputs: tuple[str, ...]) -> None:
    """Raises OSError when `target` cannot be written, and BackendError when the graph cannot be made."""
    worker = Worker(WORKER, timeout_s=TIMEOUT_S)
    try:
        answer, _ = worker.ask(
            {"source": str(source), "target": str(target), "outputs": outputs, "signed": multiplies_signed_exactly()}
        )
    finally:
        worker.close()
    if "unwritable" in answer:
        raise OSError(answer["errno"], answer["unwritable"], str(target))
    if "refused" in answer:
        raise BackendError(answer["refused"])
