"""`Checkpoint`: a Whisper model in CTranslate2 format, its tokenizer and its special tokens."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
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

_TOKENS = ("<|startoftranscript|>", "<|endoftext|>", "<|startofprev|>", "<|transcribe|>", "<|notimestamps|>")
_ENGLISH_END = 50256
"""Id of the end of text in models for English alone."""
_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_BCP_47 = {"jw": "jv"}
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
    """One model. Several threads may use it.

    One window is computed after the other, by all `threads` together: for one sound that is sooner than a thread for
    each, and for many it takes as long.

    folder: CTranslate2 format: model.bin, config.json, tokenizer.json, vocabulary
    threads: CPU threads

    The tokenizer is read at once, the weights on first use.
    Raises MissingExtra without the extra `embedded`, BackendError for a folder that is not such a model.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        if not (find_spec("ctranslate2") and find_spec("tokenizers")):
            raise MissingExtra("recognising speech with Whisper", "embedded")
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise BackendError(
                f"{folder} is not a Whisper model in CTranslate2 format: {' and '.join(missing)} missing; "
                "convert a model with ct2-transformers-converter --copy_files tokenizer.json, or fetch one by name"
            )
        self._folder, self._threads = folder, threads
        added = _added_tokens(folder / "tokenizer.json")
        self._ids = {name: number for name, number in added.items() if name.startswith("<|")}
        if missing := [name for name in _TOKENS if name not in self._ids]:
            raise BackendError(
                f"{folder / 'tokenizer.json'} is not Whisper's, it has no {' and no '.join(missing)}; "
                "copy that of the original model"
            )
        codes = [m[1] for name in sorted(self._ids, key=lambda n: self._ids[n]) if (m := _LANGUAGE.fullmatch(name))]
        # The vocabulary of the English models lacks one token, so that their special tokens begin one earlier.
        self.multilingual = self._ids["<|endoftext|>"] != _ENGLISH_END
        self._languages = {_BCP_47.get(code, code): code for code in (codes if self.multilingual else ["en"])}
        self._loading = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def load(self) -> None:
        """Load the weights now. Raises BackendError for files that are damaged."""
        self._both()

    def close(self) -> None:
        """Free the weights; another use loads them again."""
        with self._loading:
            self._loaded = None

    def _both(self) -> tuple[Any, Any]:
        """CTranslate2's model and the tokenizer."""
        with self._loading:
            if self._loaded is None:
                import ctranslate2
                import tokenizers

                try:
                    model = ctranslate2.models.Whisper(
                        str(self._folder), compute_type="int8", intra_threads=self._threads, inter_threads=1
                    )
                    self._loaded = model, tokenizers.Tokenizer.from_file(str(self._folder / "tokenizer.json"))
                except Exception as error:  # the Rust library raises plain Exception
                    raise BackendError(
                        f"{self._folder} cannot be loaded as a Whisper model: {_first_line(error)}; "
                        "fetch or convert it again"
                    ) from error
            return self._loaded

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP-47 codes of the languages that it recognises."""
        return tuple(self._languages)

    def encode(self, samples: NDArray[np.float32], window_s: int) -> Encoded:
        """Run the encoder on a window. samples: as in `log_mel`. Raises BackendError when it fails."""
        import ctranslate2

        model, _ = self._both()
        features = log_mel(samples, model.n_mels, window_s)[None]
        try:
            return model.encode(ctranslate2.StorageView.from_array(features))
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"Whisper failed on a window of {window_s} s: {_first_line(error)}") from error

    def detect(self, encoded: Encoded) -> dict[str, float]:
        """The probability of each language, the most probable first."""
        if not self.multilingual:
            return {"en": 1.0}
        codes = {f"<|{own}|>": code for code, own in self._languages.items()}
        (found,) = self._both()[0].detect_language(encoded)
        return {codes[name]: float(probability) for name, probability in found if name in codes}

    def hint_tokens(self, text: str) -> list[int]:
        """Ids of a text that goes before; of a long one the last MOST_HINT_TOKENS."""
        ids: list[int] = self._both()[1].encode(" " + text.strip(), add_special_tokens=False).ids
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
        model, tokenizer = self._both()
        try:
            (result,) = model.generate(
                encoded, [prompt], beam_size=beam, max_length=length, return_scores=True, return_no_speech_prob=True
            )
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"Whisper failed to decode: {_first_line(error)}") from error
        ids = result.sequences_ids[0]
        return Decoded(
            # A window that ends in silence makes Whisper end a question twice: "today?."
            text=re.sub(r"(?<=[?!])\.(?!\.)", "", tokenizer.decode(ids, skip_special_tokens=True)).strip(),
            score=float(result.scores[0]),
            no_speech=float(result.no_speech_prob),
            complete=len(ids) < most_tokens,
        )


def _added_tokens(path: Path) -> dict[str, int]:
    """The special tokens of a tokenizer.json and their ids."""
    try:
        return {one["content"]: one["id"] for one in json.loads(path.read_bytes())["added_tokens"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackendError(f"cannot read {path}: {_first_line(error)}; copy that of the original model") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
