"""`SileroStream`, `SileroBatch`: the Silero voice detector on NumPy, for one stream and for many at once.

A general runtime spends more time between the small layers of this network than in them, and live sessions run it 31
times for each second of sound.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import BackendError
from agentaudio.sound.onnx_weights import onnx_weights

Samples = NDArray[np.float32]

FILE = Path(__file__).parents[1] / "assets" / "silero_vad.onnx"
REMEDY = "install agentaudio again"

CONTEXT, FRAME = 64, 512
WINDOW, HOP, BINS = 256, 128, 129
UNITS = 128
MOST = 8
"""Windows that are worked on together. Of more, the products of matrices would be large enough for threads of BLAS."""
_SAMPLES = CONTEXT + FRAME

_SHAPES = {
    "stft.forward_basis_buffer": (2 * BINS, 1, WINDOW),
    "encoder.0.weight": (128, BINS, 3),
    "encoder.0.bias": (128,),
    "encoder.1.weight": (64, 128, 3),
    "encoder.1.bias": (64,),
    "encoder.2.weight": (64, 64, 3),
    "encoder.2.bias": (64,),
    "encoder.3.weight": (UNITS, 64, 3),
    "encoder.3.bias": (UNITS,),
    "onnx::LSTM_209": (1, 4 * UNITS, UNITS),
    "onnx::LSTM_210": (1, 4 * UNITS, UNITS),
    "onnx::LSTM_211": (1, 8 * UNITS),
    "output.weight": (1, UNITS, 1),
    "output.bias": (1,),
}


class SileroNetwork:
    """Spectra, four convolutions and a recurrent layer, for up to MOST windows at a time. Not thread-safe.

    most: windows for which there is room

    The convolutions are products of matrices: a row of inputs holds three neighbouring steps. The first layers see four
    spectra of a frame, the later ones two steps and one. No product is so large that BLAS would start threads for it,
    which wait for more work in a loop and take the processor from others.

    Raises BackendError when the file of the weights is missing or another network.
    Source: the graph of silero_vad_16k_sequence.onnx, version 6.2.3.
    """

    def __init__(self, most: int = 1) -> None:
        if not 1 <= most <= MOST:
            raise ValueError(f"{most} windows; give 1 to {MOST}")
        self._weights = _weights()
        self._padded = np.zeros((most, _SAMPLES + CONTEXT), np.float32)
        self._windows = _steps(self._padded, 4, WINDOW, HOP)
        # A step of zeros before and after each layer's inputs.
        self._spectra = np.zeros((most, 6, BINS), np.float32)
        self._layer = np.empty((most, 4, 128), np.float32)
        self._first = np.zeros((most, 6, 128), np.float32)
        self._second = np.zeros((most, 3, 64), np.float32)
        self._recurrent = np.zeros((most, 2 * UNITS), np.float32)  # the inputs, and the latest outputs
        self._gates = np.empty((4, most, UNITS), np.float32)

    def run(self, windows: Samples, outputs: Samples, cells: Samples) -> Samples:
        """Probability that someone speaks in the next frame of each stream: (n,) float32.

        windows: (n, 576) float32 at 16 kHz: the 512 samples of the frame, and the 64 before them
        outputs, cells: (n, UNITS) float32, the states of the streams; replaced by those after the frame
        """
        rows = self._encode(windows)
        return self._recur(rows, outputs, cells)

    def run_in_order(self, windows: Samples, output: Samples, cell: Samples) -> Samples:
        """As `run` for each frame of one stream in turn: (n,) float32.

        windows: (n, 576) float32 at 16 kHz, of frames that follow each other
        output, cell: (1, UNITS) float32, the state of the stream; replaced by that after the last frame
        """
        found = np.empty(len(windows), np.float32)
        for start in range(0, len(windows), len(self._padded)):
            rows = self._encode(windows[start : start + len(self._padded)])
            for place in range(len(rows)):
                found[start + place : start + place + 1] = self._recur(rows[place : place + 1], output, cell)
        return found

    def _encode(self, windows: Samples) -> Samples:
        """What earlier frames do not change: rows for `_recur`, (n, 2 * UNITS) float32, valid until the next call."""
        count, weights = len(windows), self._weights
        padded, spectra, first = self._padded[:count], self._spectra[:count], self._first[:count]
        second, recurrent = self._second[:count], self._recurrent[:count]
        padded[:, :_SAMPLES] = windows
        padded[:, _SAMPLES:] = windows[:, -2 : -2 - CONTEXT : -1]  # reflected
        np.abs(np.fft.rfft(self._windows[:count] * weights.window), out=spectra[:, 1:5])
        layer = self._layer[:count]
        for row, out in zip(_steps(spectra, 4, 3 * BINS, BINS), layer, strict=True):
            np.matmul(row, weights.encoder[0][0], out=out)
        layer += weights.encoder[0][1]
        np.maximum(layer, 0, out=first[:, 1:5])
        rows = _steps(first, 2, 384, 256)
        for place in range(0, count, 4):
            some = rows[place : place + 4].reshape(-1, 384)
            second[place : place + 4, 1:] = _layer(some, weights.encoder[1]).reshape(-1, 2, 64)
        third = _layer(second.reshape(count, 192), weights.encoder[2])
        _layer(third, weights.encoder[3], recurrent[:, :UNITS])
        return recurrent

    def _recur(self, recurrent: Samples, outputs: Samples, cells: Samples) -> Samples:
        """The recurrent layer and the probabilities, as `run`."""
        weights, gates = self._weights, self._gates[:, : len(recurrent)]
        recurrent[:, UNITS:] = outputs
        for gate, (matrix, bias) in zip(gates, weights.gates, strict=True):
            np.matmul(recurrent, matrix, out=gate)
            gate += bias
        with np.errstate(over="ignore"):  # of sound far above full scale: the gate is shut
            opened = np.exp(-gates[:3])  # input, output, forget
        opened += 1
        np.reciprocal(opened, out=opened)
        cells *= opened[2]
        cells += opened[0] * np.tanh(gates[3])
        np.tanh(cells, out=outputs)
        outputs *= opened[1]
        level = np.maximum(outputs, 0) @ weights.output[0]
        level += weights.output[1]
        return np.asarray(1 / (1 + np.exp(-level)), np.float32)


class SileroStream:
    """The network on one stream, whose state it holds. Not thread-safe.

    Raises BackendError as SileroNetwork does.
    """

    def __init__(self) -> None:
        self._network: SileroNetwork | None = None
        self._ahead: SileroNetwork | None = None
        self.output = np.zeros((1, UNITS), np.float32)
        self.cell = np.zeros((1, UNITS), np.float32)
        _weights()

    def probability(self, samples: Samples) -> float:
        """That someone speaks in the next frame.

        samples: (576,) float32 at 16 kHz: the 512 of the frame, and the 64 before them
        """
        if self._network is None:
            self._network = SileroNetwork()
        return float(self._network.run(samples[None], self.output, self.cell)[0])

    def probabilities(self, windows: Samples) -> Samples:
        """As `probability` for each of several frames that follow each other, within 1e-5, in a third of the time.

        windows: (n, 576) float32; returns (n,) float32
        """
        if self._ahead is None:
            self._ahead = SileroNetwork(MOST)
        return self._ahead.run_in_order(windows, self.output, self.cell)

    def glimpse(self, samples: Samples) -> float:
        """As `probability`, of samples that come again: the state stays as it is."""
        output, cell = self.output.copy(), self.cell.copy()
        probability = self.probability(samples)
        self.output, self.cell = output, cell
        return probability


class Look(NamedTuple):
    """What a stream is asked for.

    samples: as for SileroStream.probability
    comes_again: they do, in a frame of the stream, so that its state stays as it is
    """

    stream: SileroStream
    samples: Samples
    comes_again: bool = False

    def alone(self) -> float:
        """The answer of the network, asked for this alone."""
        return self.stream.glimpse(self.samples) if self.comes_again else self.stream.probability(self.samples)


class SileroBatch:
    """The network on many streams at once, which takes a third of the time. Not thread-safe."""

    def __init__(self) -> None:
        self._network = SileroNetwork(MOST)

    def probabilities(self, looks: Sequence[Look]) -> list[float]:
        """As those of the streams one by one, within 1e-5. Each stream may be there once."""
        found: list[float] = []
        for start in range(0, len(looks), MOST):
            found += self._some(looks[start : start + MOST])
        return found

    def _some(self, looks: Sequence[Look]) -> list[float]:
        outputs = np.concatenate([look.stream.output for look in looks])
        cells = np.concatenate([look.stream.cell for look in looks])
        found: list[float] = self._network.run(np.stack([look.samples for look in looks]), outputs, cells).tolist()
        for place, look in enumerate(looks):
            if not look.comes_again:
                look.stream.output[0], look.stream.cell[0] = outputs[place], cells[place]
        return found


class _Weights:
    """In the order in which they are used; each matrix takes rows of inputs."""

    def __init__(self, found: dict[str, Samples]) -> None:
        # The basis is cosines and sines of the Fourier transform times a window; the first one is the window alone.
        self.window = _ordered(found["stft.forward_basis_buffer"][0, 0])
        self.encoder = [
            (
                _ordered(found[f"encoder.{layer}.weight"].transpose(2, 1, 0).reshape(3 * inputs, -1)),
                found[f"encoder.{layer}.bias"],
            )
            for layer, inputs in enumerate((BINS, 128, 64))
        ]
        # The last convolution sees one step, between two of zeros.
        self.encoder.append((_ordered(found["encoder.3.weight"][:, :, 1].T), found["encoder.3.bias"]))
        both = np.concatenate([found["onnx::LSTM_209"][0], found["onnx::LSTM_210"][0]], axis=1)
        biases = found["onnx::LSTM_211"][0].reshape(2, -1).sum(axis=0)
        self.gates = [
            (_ordered(both[start : start + UNITS].T), biases[start : start + UNITS])
            for start in range(0, 4 * UNITS, UNITS)
        ]
        self.output = _ordered(found["output.weight"].reshape(-1)), float(found["output.bias"][0])


@functools.cache
def _weights() -> _Weights:
    found = onnx_weights(FILE, REMEDY)
    for name, shape in _SHAPES.items():
        if name not in found or found[name].shape != shape:
            raise BackendError(f"{FILE} is another network: {name} is not {shape}; {REMEDY}")
    return _Weights(found)


def _layer(rows: Samples, layer: tuple[Samples, Samples], out: Samples | None = None) -> Samples:
    result: Samples = rows @ layer[0]
    result += layer[1]
    return np.maximum(result, 0, out=result if out is None else out)


def _steps(values: Samples, count: int, size: int, hop: int) -> Samples:
    """Overlapping parts of each row of an array in C order: (rows, count, size), without a copy."""
    return np.ndarray((len(values), count, size), np.float32, values, 0, (values.strides[0], 4 * hop, 4))


def _ordered(values: Samples) -> Samples:
    return np.ascontiguousarray(values, np.float32)
