"""CAM++ on ONNX Runtime: the speaker embedding that Step-Audio 2's decoder was trained with."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import BackendError, MissingExtra, VoiceError
from agentaudio.onnx import OnnxNetwork
from agentaudio.sound.audio import Audio

Float = NDArray[np.float32]

SAMPLE_RATE = 16_000
MEL_BANDS = 80
SHORTEST_S = 0.5


class CamPlusPlus:
    """The CAM++ speaker encoder of a checkpoint (`token2wav/campplus.onnx`). Several threads may share one instance.

    path: the ONNX file; it is opened when the first clip is encoded
    threads: of one encoding; a network of 7 million weights gains little from more than one

    name: of the encoder; embeddings of different encoders cannot be compared
    dim: length of an embedding
    same_speaker_above: cosine from which two whole clips count as one speaker's. The authors' default
        (ModelScope, speech_campplus_sv_zh-cn_16k-common), not calibrated here.

    Source: Wang et al. 2023, "CAM++: A fast and efficient network for speaker verification using
    context-aware masking".
    """

    name = "campplus"
    dim = 192
    same_speaker_above = 0.31

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 1) -> None:
        self._network = OnnxNetwork(
            path, "the CAM++ speaker encoder", inputs=((1, None, MEL_BANDS),), extra="local", threads=threads
        )

    def encode(self, audio: Audio) -> Float:
        """The speaker embedding of a clip.

        audio: any rate; 16 kHz is used without resampling
        returns: (192,) float32 as the network gives it, NOT of unit length: the decoder divides by the
            length itself, and so must code that compares embeddings by dot product

        Raises VoiceError for silence or less than SHORTEST_S of sound, BackendError naming the file
        when it is missing, truncated or another network, and MissingExtra without ONNX Runtime.
        """
        if audio.is_silent:
            raise VoiceError(f"this clip of {audio.duration:.1f} s is silent; record it again with the microphone on")
        if audio.duration < SHORTEST_S:
            raise VoiceError(
                f"this clip holds {audio.duration:.2f} s of sound, but a voice needs at least {SHORTEST_S} s; "
                "give a longer one of one person speaking"
            )
        features = fbank(audio.resample(SAMPLE_RATE).samples)
        features -= features.mean(axis=0)
        output = self._network.run(features[None])[0]
        if output.size != self.dim or not np.isfinite(output).all():
            raise BackendError(
                f"{self._network.path} gave {output.dtype} of shape {output.shape}, not {self.dim} finite numbers; "
                "it is another network or corrupt, so download it again"
            )
        return output.reshape(self.dim).astype(np.float32)

    def fingerprint(self) -> str:
        """Digest that identifies these weights, see `OnnxNetwork.fingerprint`."""
        return self._network.fingerprint()


def fbank(samples: Float) -> Float:
    """Kaldi's log-mel filterbank energies. CAM++ takes them after their mean over time is subtracted.

    samples: (n,) float32, 16 kHz mono in [-1, 1] (not scaled to 16 bits), n >= 400
    returns: (1 + (n - 400) // 160, 80) float32: natural logarithms, frames of 25 ms every 10 ms

    Raises MissingExtra without kaldi-native-fbank.
    Source: Kaldi's compute-fbank-feats with 80 bins from 20 Hz to 8 kHz, no dither, Povey's window.
    """
    try:
        import kaldi_native_fbank  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise MissingExtra("the CAM++ speaker encoder", "local") from None
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = MEL_BANDS
    stream = kaldi_native_fbank.OnlineFbank(options)
    stream.accept_waveform(SAMPLE_RATE, samples)
    stream.input_finished()
    frames = [stream.get_frame(index) for index in range(stream.num_frames_ready)]
    return np.array(frames, np.float32).reshape(-1, MEL_BANDS)
