"""PocketSphinx through its C interface, which can mix language models; its Python interface cannot.

A domain model alone hears its own sentences in everything, and the general model alone misses names and rare words.
Their interpolation P(w|h) = m P_domain(w|h) + (1 - m) P_general(w|h) avoids both in one pass.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentaudio.errors import BackendError, MissingExtra

SAMPLE_RATE_HZ = 16_000

SETTINGS = {
    "samprate": SAMPLE_RATE_HZ,
    # States and new words kept per frame: as accurate on clear speech as the defaults (30,000 and no limit), in
    # three quarters of the time.
    "maxhmmpf": 3000,
    "maxwpf": 10,
    "loglevel": "FATAL",
}
"""Settings that differ from PocketSphinx's defaults for its en-us models."""

_ARPA = 0  # ngram_file_type_t NGRAM_ARPA
_FULL_UTTERANCE = 1  # ps_process_raw: normalise by the mean of the whole sound

_Pointer, _Text, _Int = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_IntPointer = ctypes.POINTER(ctypes.c_int32)
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "err_set_loglevel_str": (_Text, [_Text]),
    "ps_config_parse_json": (_Pointer, [_Pointer, _Text]),
    "ps_init": (_Pointer, [_Pointer]),
    "ps_free": (_Int, [_Pointer]),
    "ps_get_logmath": (_Pointer, [_Pointer]),
    "ps_get_lm": (_Pointer, [_Pointer, _Text]),
    "ps_add_lm": (_Int, [_Pointer, _Text, _Pointer]),
    "ps_add_word": (_Int, [_Pointer, _Text, _Text, _Int]),
    "ps_lookup_word": (_Pointer, [_Pointer, _Text]),
    "ps_activate_search": (_Int, [_Pointer, _Text]),
    "ps_remove_search": (_Int, [_Pointer, _Text]),
    "ps_start_utt": (_Int, [_Pointer]),
    "ps_process_raw": (_Int, [_Pointer, _Text, ctypes.c_size_t, _Int, _Int]),
    "ps_end_utt": (_Int, [_Pointer]),
    "ps_seg_iter": (_Pointer, [_Pointer]),
    "ps_seg_next": (_Pointer, [_Pointer]),
    "ps_seg_word": (_Text, [_Pointer]),
    "ps_seg_frames": (None, [_Pointer, _IntPointer, _IntPointer]),
    "ps_seg_prob": (ctypes.c_int32, [_Pointer, _IntPointer, _IntPointer, _IntPointer]),
    "logmath_exp": (ctypes.c_double, [_Pointer, _Int]),
    "ngram_model_read": (_Pointer, [_Pointer, _Text, _Int, _Pointer]),
    "ngram_model_retain": (_Pointer, [_Pointer]),
    "ngram_model_free": (_Int, [_Pointer]),
    "ngram_model_set_init": (
        _Pointer,
        [
            _Pointer,
            ctypes.POINTER(_Pointer),
            ctypes.POINTER(_Text),
            ctypes.POINTER(ctypes.c_float),
            ctypes.c_int32,
        ],
    ),
}


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A recognised word. start_s, end_s: seconds; posterior: 0 to 1, among the paths of the lattice."""

    word: str
    start_s: float
    end_s: float
    posterior: float


class SphinxDecoder:
    """One decoder, with the general language model and any number of mixtures. Not thread-safe.

    arpa, dictionary: files of a closed domain that replace the general model and its 130,000 words

    Raises MissingExtra without the extra `embedded`; BackendError when PocketSphinx reports an error.
    """

    def __init__(self, *, arpa: Path | None = None, dictionary: Path | None = None) -> None:
        try:
            import pocketsphinx
            from pocketsphinx import _pocketsphinx
        except ImportError:
            raise MissingExtra("recognising speech", "embedded") from None
        self._c = ctypes.CDLL(_pocketsphinx.__file__)
        for name, (result, arguments) in _SIGNATURES.items():
            try:
                function = getattr(self._c, name)
            except AttributeError:
                raise BackendError(
                    f"this build of PocketSphinx does not export {name}; install its wheel for Linux or macOS"
                ) from None
            function.restype, function.argtypes = result, arguments
        self._c.err_set_loglevel_str(b"FATAL")
        models = Path(pocketsphinx.get_model_path(), "en-us")
        settings = {
            "hmm": str(models / "en-us"),
            "dict": str(dictionary or models / "cmudict-en-us.dict"),
            "lm": str(arpa or models / "en-us.lm.bin"),
            **SETTINGS,
        }
        self._config = self._c.ps_config_parse_json(None, json.dumps(settings).encode())
        self._decoder = self._c.ps_init(self._config) if self._config else None
        if not self._decoder:
            raise BackendError(f"PocketSphinx cannot start with its models in {models}; install it again")
        self._logmath = self._c.ps_get_logmath(self._decoder)
        self._general = self._c.ps_get_lm(self._decoder, None)
        self._general_search = b"_default"

    def add_mixture(self, name: str, arpa: Path, pronunciations: Mapping[str, str], weight: float) -> None:
        """Add a mixture of the general model and an ARPA file. weight: of the ARPA file, below 1."""
        for word, phones in pronunciations.items():
            if not self._c.ps_lookup_word(self._decoder, word.encode()):
                self._c.ps_add_word(self._decoder, word.encode(), phones.encode(), 0)
        domain = self._c.ngram_model_read(self._config, str(arpa).encode(), _ARPA, self._logmath)
        if not domain:
            raise BackendError(f"PocketSphinx cannot read the language model {arpa}; compile the domain again")
        # The set takes over a reference to each member; the decoder keeps its own to the general model and the set.
        self._c.ngram_model_retain(self._general)
        models = (_Pointer * 2)(self._general, domain)
        names, weights = (_Text * 2)(b"general", b"domain"), (ctypes.c_float * 2)(1 - weight, weight)
        mixture = self._c.ngram_model_set_init(self._config, models, names, weights, 2)
        if not mixture or self._c.ps_add_lm(self._decoder, name.encode(), mixture) != 0:
            raise BackendError(f"PocketSphinx rejected the language model {name!r}; compile the domain again")
        self._c.ngram_model_free(mixture)

    def remove(self, name: str) -> None:
        """Remove a mixture."""
        self._c.ps_activate_search(self._decoder, self._general_search)
        self._c.ps_remove_search(self._decoder, name.encode())

    def close(self) -> None:
        """Free the decoder, which cannot be used afterwards."""
        self._c.ps_free(self._decoder)

    def decode(self, pcm: bytes, mixture: str = "") -> list[HeardWord]:
        """The most probable words of a sound.

        pcm: 16 kHz, 16-bit little-endian mono
        mixture: name of an added mixture; "" uses the general model
        """
        search = mixture.encode() or self._general_search
        if self._c.ps_activate_search(self._decoder, search) != 0:
            raise BackendError(f"no language model {mixture!r} was added")
        if self._c.ps_start_utt(self._decoder) != 0:
            raise BackendError("PocketSphinx cannot start an utterance")
        processed = self._c.ps_process_raw(self._decoder, pcm, len(pcm) // 2, 0, _FULL_UTTERANCE)
        if self._c.ps_end_utt(self._decoder) != 0 or processed < 0:
            raise BackendError("PocketSphinx cannot decode this sound")
        words = []
        segment = self._c.ps_seg_iter(self._decoder)
        start, end, unused = ctypes.c_int32(), ctypes.c_int32(), ctypes.c_int32()
        while segment:
            word = self._c.ps_seg_word(segment).decode("utf-8", "replace").partition("(")[0]
            self._c.ps_seg_frames(segment, start, end)
            log_posterior = self._c.ps_seg_prob(segment, unused, unused, unused)
            posterior = min(1.0, float(self._c.logmath_exp(self._logmath, log_posterior)))
            if word and word[0] not in "<[+":
                words.append(HeardWord(word, start.value / 100, (end.value + 1) / 100, posterior))
            segment = self._c.ps_seg_next(segment)
        return words
