"""`SileroStream`: the Silero voice detector on NumPy.

A general runtime spends more time between the small layers of this network than in them, and live sessions run it 31
times for each second of sound.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

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


class SileroStream:
    """Spectra, four convolutions and a recurrent layer, whose state it holds. Not thread-safe.

    The convolutions are products of matrices: a row of inputs holds three neighbouring steps. The first layers see four
    spectra of a frame, the later ones two steps and one.

    Raises BackendError when the file of the weights is missing or another network.
    Source: the graph of silero_vad_16k_sequence.onnx, version 6.2.3.
    """

    def __init__(self) -> None:
        self._weights = _weights()
        self._padded = np.zeros(_SAMPLES + CONTEXT, np.float32)
        self._windows = _steps(self._padded, 4, WINDOW, HOP)
        # A step of zeros before and after each layer's inputs.
        self._spectra = np.zeros((6, BINS), np.float32)
        self._first = np.zeros((6, 128), np.float32)
        self._second = np.zeros((4, 64), np.float32)
        # BLAS starts threads for a product of one row; the second row is of zeros.
        self._third = np.zeros((2, 192), np.float32)
        self._recurrent = np.zeros((2, 2 * UNITS), np.float32)  # the inputs, and the latest output
        self._cell = np.zeros(UNITS, np.float32)

    def probability(self, samples: Samples) -> float:
        """That someone speaks in the next frame.

        samples: (576,) float32 at 16 kHz: the 512 of the frame, and the 64 before them
        """
        weights, cell = self._weights, self._cell
        self._padded[:_SAMPLES] = samples
        self._padded[_SAMPLES:] = samples[-2 : -2 - CONTEXT : -1]  # reflected
        np.abs(np.fft.rfft(self._windows * weights.window), out=self._spectra[1:5])
        _layer(_steps(self._spectra, 4, 3 * BINS, BINS), weights.encoder[0], self._first[1:5])
        _layer(_steps(self._first, 2, 384, 256), weights.encoder[1], self._second[1:3])
        self._third[0] = self._second.reshape(-1)[:192]
        third = _layer(self._third, weights.encoder[2])
        self._recurrent[:, :UNITS] = _layer(third, weights.encoder[3])
        gates = (self._recurrent @ weights.gates[0])[0]
        gates += weights.gates[1]
        opened = np.exp(-gates[: 3 * UNITS])  # input, output, forget
        opened += 1
        np.reciprocal(opened, out=opened)
        cell *= opened[2 * UNITS :]
        cell += opened[:UNITS] * np.tanh(gates[3 * UNITS :])
        output = np.tanh(cell)
        output *= opened[UNITS : 2 * UNITS]
        self._recurrent[0, UNITS:] = output
        level = float(np.maximum(output, 0, out=output) @ weights.output[0]) + weights.output[1]
        return 1 / (1 + math.exp(-level))

    def glimpse(self, samples: Samples) -> float:
        """As `probability`, of samples that come again: the state stays as it is."""
        cell, output = self._cell.copy(), self._recurrent[0, UNITS:].copy()
        probability = self.probability(samples)
        self._cell, self._recurrent[0, UNITS:] = cell, output
        return probability


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
        self.gates = _ordered(both.T), found["onnx::LSTM_211"][0].reshape(2, -1).sum(axis=0)
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
    """Overlapping parts of an array in C order: (count, size), without a copy."""
    return np.ndarray((count, size), np.float32, values, 0, (4 * hop, 4))


def _ordered(values: Samples) -> Samples:
    return np.ascontiguousarray(values, np.float32)
