"""Makes the faster graph of Kokoro in a process of its own, which holds it three times for a moment.

python -m agentaudio.model.kokoro.rewriting_worker
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AgentAudioError
from agentaudio.model.kokoro.rewriting import faster, measured_ranges
from agentaudio.model.kokoro.styles import stock_styles
from agentaudio.model.kokoro.symbols import END, IDS
from agentaudio.onnx import OnnxNetwork
from agentaudio.workers.messages import Answer
from agentaudio.workers.serving import serve

TRIED = "wˈʌn mˈOmənt, plˈiz."
"""A short phrase in Kokoro's symbols, which both graphs speak."""

MOST_DIFFERENCE_DB = 4.0
"""Largest mean difference of the two sounds' spectra. 1 dB is usual, and 8 dB another phrase."""

SILENT_BELOW = 1e-6
"""Power of a band, relative to the loudest, that counts as silence: 60 dB below it."""


def main() -> None:
    serve(answer)


def answer(request: dict[str, Any], _: bytes | bytearray) -> Answer:
    """Write the faster graph of `source` to `target`.

    outputs, signed: see agentaudio.model.kokoro.rewriting.faster

    The answer is empty, or says with `unwritable` that the file cannot be written, and with `refused` why there is no
    faster graph.
    """
    source, target, outputs = Path(request["source"]), Path(request["target"]), tuple(request["outputs"])
    try:
        import onnx
    except ImportError:
        return {"refused": "the package onnx is not installed: pip install 'agentaudio[embedded]'"}, b""
    try:
        before = _spoken(OnnxNetwork(source, "", inputs=_INPUTS, extra="embedded", inner=outputs))
        content = faster(onnx.load(source), measured_ranges(), signed=request["signed"], outputs=outputs)
        content = content.SerializeToString()
        try:
            target.write_bytes(content)
        except OSError as error:
            return {"unwritable": error.strerror or str(error), "errno": error.errno}, b""
        del content
        after = _spoken(OnnxNetwork(target, "", inputs=_INPUTS, extra="embedded"))
    except AgentAudioError as error:
        return {"refused": str(error)}, b""
    apart = difference_db(before[0], after[0])
    if apart > MOST_DIFFERENCE_DB or any(not np.array_equal(a, b) for a, b in zip(before[1:], after[1:], strict=True)):
        return {"refused": f"on this machine it sounds different from the source, by {apart:.1f} dB"}, b""
    return {}, b""


_INPUTS = ((1, None), (1, 256), (1,))


def difference_db(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Mean absolute difference in level over 20 ms and 1/8 octave or so; infinite for sounds of other lengths.

    a, b: (samples,) float32, at the same rate
    """
    if a.shape != b.shape or not np.isfinite(b).all():
        return float("inf")
    first, second = _bands(a), _bands(b)
    silence = SILENT_BELOW * first.max() + 1e-12
    return float(np.abs(10 * np.log10((first + silence) / (second + silence))).mean())


def _bands(samples: NDArray[np.float32], size: int = 512, bands: int = 32) -> NDArray[np.float64]:
    """(frames, bands): power in bands that widen with the frequency."""
    frames = samples[: len(samples) // size * size].reshape(-1, size) * np.hanning(size)
    powers = np.abs(np.fft.rfft(frames)[:, 1:]) ** 2
    edges = np.unique(np.geomspace(1, powers.shape[1], bands + 1).astype(np.int64)) - 1
    return np.asarray(np.add.reduceat(powers, edges[:-1], axis=1))


def _spoken(network: OnnxNetwork) -> list[NDArray[np.float32]]:
    """The sound of TRIED, (samples,), and the other outputs."""
    tokens = np.array([[END, *(IDS[symbol] for symbol in TRIED), END]], np.int64)
    style = stock_styles().style("af_heart").row(len(TRIED))
    audio, *others = network.run(tokens, style[None], np.ones(1, np.float32))
    return [np.asarray(audio, np.float32).reshape(-1), *others]


if __name__ == "__main__":
    main()
