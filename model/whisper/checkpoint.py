"""`Checkpoint`: a Whisper model in CTranslate2 format, its tokenizer and its special tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.whisper.features import log_mel

FILES = ("model.bin", "config.json", "tokenizer.json")
"""What a folder in CTranslate2 format must hold. (`vocabulary.txt` or `.json` is read by CTranslate2.)"""

MOST_TOKENS = 224
"""New tokens of one window, half of the decoder's positions, as in OpenAI's implementation."""
MOST_HINT_TOKENS = 200
POSITIONS = 448

_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_OWN_CODES = {"jw": "jv"}
"""Whisper's codes that differ from BCP-47: Javanese."""

Encoded = Any
"""CTranslate2's StorageView of the encoder's output."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the decoder wrote for one window.

    text: without special tokens; may be blank
    score: mean natural log probability of its tokens
    no_speech: probability of Whisper's no-speech token, 0 to 1
    complete: whether the decoder ended it, rather than the limit of tokens
    """

    text: str
    score: float
    no_speech: float
    complete: bool


class Checkpoint:
    """One loaded model. Several threads may use it; `threads` windows are computed at the same time.

    folder: CTranslate2 format: model.bin, config.json, tokenizer.json, vocabulary
    threads: CPU threads; one works on each window

    Raises MissingExtra without the extra `neural`, BackendError for a folder that is not such a model.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        try:
            import ctranslate2
            import tokenizers
        except ImportError:
            raise MissingExtra("recognising speech with Whisper", "neural") from None
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise BackendError(
                f"{folder} is not a Whisper model in CTranslate2 format: {' and '.join(missing)} missing; "
                "convert a model with ct2-transformers-converter --copy_files tokenizer.json, or fetch one by name"
            )
        try:
            self._model = ctranslate2.models.Whisper(
                str(folder), compute_type="int8", intra_threads=1, inter_threads=threads
            )
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the Rust library raises plain Exception
            raise BackendError(
                f"{folder} cannot be loaded as a Whisper model: {str(error).strip()[:200]}; fetch or convert it again"
            ) from error
        self._view = ctranslate2.StorageView.from_array
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        self._ids = {name: number for name, number in vocabulary.items() if name.startswith("<|")}
        if "<|startoftranscript|>" not in self._ids:
            raise BackendError(f"{folder / 'tokenizer.json'} is not Whisper's; copy that of the original model")
        self.multilingual: bool = self._model.is_multilingual
        self.bands: int = self._model.n_mels
        found = {m[1]: number for name, number in self._ids.items() if (m := _LANGUAGE.fullmatch(name))}
        own = dict(sorted(found.items(), key=lambda item: item[1])) if self.multilingual else {"en": 0}
        self._languages = {_OWN_CODES.get(code, code): code for code in own}

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP-47 codes of the languages that it recognises."""
        return tuple(self._languages)

    def encode(self, samples: NDArray[np.float32], window_s: int) -> Encoded:
        """Run the encoder on a window. samples: as in `log_mel`. Raises BackendError when it fails."""
        features = log_mel(samples, self.bands, window_s)[None]
        try:
            return self._model.encode(self._view(features))
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"Whisper failed on a window of {window_s} s: {str(error).strip()[:200]}") from error

    def detect(self, encoded: Encoded) -> dict[str, float]:
        """The probability of each language, the most probable first."""
        if not self.multilingual:
            return {"en": 1.0}
        codes = {f"<|{own}|>": code for code, own in self._languages.items()}
        (found,) = self._model.detect_language(encoded)
        return {codes[name]: float(probability) for name, probability in found if name in codes}

    def hint_tokens(self, text: str) -> list[int]:
        """Ids of a text that goes before; of a long one the last MOST_HINT_TOKENS."""
        ids: list[int] = self._tokenizer.encode(" " + text.strip(), add_special_tokens=False).ids
        return ids[-MOST_HINT_TOKENS:]

    def decode(
        self, encoded: Encoded, *, language: str, most_tokens: int, beam: int = 1, hint: Sequence[int] = ()
    ) -> Decoded:
        """Write down what is said in an encoded window.

        language: one of `languages`
        most_tokens: limit of new tokens, 1 to MOST_TOKENS
        beam: number of hypotheses kept; 1 is greedy
        hint: ids that the decoder takes for the text before the window

        Raises BackendError when CTranslate2 fails.
        """
        prompt = [self._ids["<|startoftranscript|>"]]
        if self.multilingual:
            prompt += [self._ids[f"<|{self._languages[language]}|>"], self._ids["<|transcribe|>"]]
        prompt.append(self._ids["<|notimestamps|>"])
        if hint:
            prompt = [self._ids["<|startofprev|>"], *hint, *prompt]
        # CTranslate2 generates at most half of max_length, and counts the prompt.
        length = min(POSITIONS, max(2 * most_tokens, most_tokens + len(prompt)))
        try:
            (result,) = self._model.generate(
                encoded, [prompt], beam_size=beam, max_length=length, return_scores=True, return_no_speech_prob=True
            )
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"Whisper failed to decode: {str(error).strip()[:200]}") from error
        ids = result.sequences_ids[0]
        return Decoded(
            text=self._tokenizer.decode(ids, skip_special_tokens=True).strip(),
            score=float(result.scores[0]),
            no_speech=float(result.no_speech_prob),
            complete=len(ids) < most_tokens,
        )
