"""The tokenizer of Step-Audio 2: its added tokens, and text that cannot be mistaken for one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from agentaudio.errors import MissingExtra, ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CODEC = "cosyvoice2"
"""The codec of the speech codes: CosyVoice 2's S3 tokenizer (arXiv:2412.10117)."""
CODE_RATE_HZ = 25.0
N_CODES = 3**8
"""Speech codes: finite scalar quantization in 8 dimensions of 3 levels."""
N_CODE_TOKENS = 6656
"""`<audio_N>` in the tokenizer: 6561 codes, the pad `<audio_6561>`, and unused ones that fill up to 13 * 512."""

N_TEXT_TOKENS = 151_643
"""Text tokens of Qwen2.5; the added tokens follow them."""
QWEN_TOKENS = tuple(
    """
    <|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|>
    <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>
    <tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|>
    """.split()
)
STEP_TOKENS = tuple(
    """
    <|EOT|> <|BOT|> <|CALL_START|> <|CALL_END|> <|THINK_START|> <|THINK_END|> <|IMG_START|> <|IMG_END|>
    <|META_START|> <|META_END|> <im_patch> <im_start> <im_end> <dream> <dream_start> <dream_end>
    <|MASK_1e69f|> <|UNMASK_1e69f|> <video_start> <video_end> <patch_start> <patch_end> <patch_newline>
    <audio_start> <audio_end> <audio_patch> <audio_patch_pad> <|SC|> <tts_start> <tts_end> <tts_pad>
    """.split()
)
SPECIAL_TOKENS = (*QWEN_TOKENS, *STEP_TOKENS)
ADDED_TOKENS = (*SPECIAL_TOKENS, *(f"<audio_{code}>" for code in range(N_CODE_TOKENS)))
"""All added tokens of the published tokenizer, in the order of their ids."""
PUBLISHED_IDS: Mapping[str, int] = {name: N_TEXT_TOKENS + n for n, name in enumerate(ADDED_TOKENS)}

_SPELLED = {
    "endoftext": "<|endoftext|>", "im_end": "<|im_end|>", "eot": "<|EOT|>", "bot": "<|BOT|>",
    "tool_call": "<tool_call>", "tool_call_end": "</tool_call>",
    "audio_start": "<audio_start>", "audio_end": "<audio_end>", "audio_patch": "<audio_patch>",
    "tts_start": "<tts_start>", "tts_end": "<tts_end>", "tts_pad": "<tts_pad>", "audio_0": "<audio_0>",
}  # fmt: skip
"""The fields of TokenIds, and how the tokenizer spells them."""


def _opening(tokens: Iterable[str]) -> re.Pattern[str]:
    """A pattern of the first character of each added token that occurs in a text, overlapping ones too."""
    tails: dict[str, list[str]] = {"<": [r"audio_\d+>"]}
    for token in tokens:
        if len(token) > 1 and not re.fullmatch(r"<audio_\d+>", token):
            tails.setdefault(token[0], []).append(re.escape(token[1:]))
    return re.compile("|".join(f"{re.escape(head)}(?={'|'.join(tail)})" for head, tail in tails.items()))


_OPENING = _opening(SPECIAL_TOKENS)


def escape(text: str) -> str:
    """Text without special tokens: `<|EOT|>` becomes `< |EOT|>`.

    For prompts that are sent to a server as text. `Vocabulary.encode` needs no escaping: it keeps all
    characters and makes ids of plain text from them.
    """
    return _OPENING.sub(lambda match: match.group() + " ", text)


@dataclass(frozen=True, slots=True)
class TokenIds:
    """Ids of the tokens that structure prompts and answers.

    The defaults are those of Step-Audio 2 mini, mini-Base and mini-Think; `read` takes them from a
    tokenizer.
    Source: Step-Audio2 stepaudio2.py and the checkpoint's special_tokens_map.json.

    audio_0: the token of speech code n is audio_0 + n
    first_special: ids below it are text
    """

    endoftext: int = PUBLISHED_IDS["<|endoftext|>"]
    im_end: int = PUBLISHED_IDS["<|im_end|>"]
    tool_call: int = PUBLISHED_IDS["<tool_call>"]
    tool_call_end: int = PUBLISHED_IDS["</tool_call>"]
    eot: int = PUBLISHED_IDS["<|EOT|>"]
    bot: int = PUBLISHED_IDS["<|BOT|>"]
    audio_start: int = PUBLISHED_IDS["<audio_start>"]
    audio_end: int = PUBLISHED_IDS["<audio_end>"]
    audio_patch: int = PUBLISHED_IDS["<audio_patch>"]
    tts_start: int = PUBLISHED_IDS["<tts_start>"]
    tts_end: int = PUBLISHED_IDS["<tts_end>"]
    tts_pad: int = PUBLISHED_IDS["<tts_pad>"]
    audio_0: int = PUBLISHED_IDS["<audio_0>"]
    first_special: int = N_TEXT_TOKENS

    @classmethod
    def read(cls, special: Mapping[str, int]) -> TokenIds:
        """From the added tokens of a tokenizer, by name. A token that it lacks takes its published id.

        Raises ModelError when the tokenizer belongs to another model: tokens are missing and its ids
        differ from the published ones, or its speech codes are not consecutive.
        """
        usual = cls()
        found = {field: special[name] for field, name in _SPELLED.items() if name in special}
        missing = [field for field in _SPELLED if field not in found]
        taken = {number: name for name, number in special.items()}
        for field in missing:
            number = getattr(usual, field)
            if found.get("endoftext") != usual.endoftext or number in taken:
                raise ModelError(
                    f"the tokenizer has no {_SPELLED[field]}, so it is not Step-Audio 2's; "
                    "take tokenizer.json from the checkpoint"
                )
        ids = cls(
            **{field: found.get(field, getattr(usual, field)) for field in _SPELLED},
            first_special=min((*special.values(), *found.values())),
        )
        last = special.get(f"<audio_{N_CODES - 1}>", ids.audio_0 + N_CODES - 1)
        if last != ids.audio_0 + N_CODES - 1:
            raise ModelError(
                f"<audio_0> is {ids.audio_0} and <audio_{N_CODES - 1}> is {last}: the speech codes are not "
                "consecutive; take tokenizer.json from the checkpoint"
            )
        return ids

    @property
    def audio_pad(self) -> int:
        """Fills the audio places of a group after the last speech code."""
        return self.audio_0 + N_CODES

    @property
    def stop(self) -> tuple[int, ...]:
        """Ids that end an answer."""
        return (self.eot, self.endoftext, self.im_end)

    def is_text(self, token_id: int) -> bool:
        """Whether an id is plain text."""
        return 0 <= token_id < self.first_special

    def code_of(self, token_id: int) -> int | None:
        """The speech code of a token, 0 to 6560; None for the pad and all other tokens."""
        code = token_id - self.audio_0
        return code if 0 <= code < N_CODES else None

    def spelled(self, token_id: int) -> str | None:
        """The spelling of a special token, such as `<tts_start>`; None for other ids."""
        for field in fields(self):
            if field.name in _SPELLED and getattr(self, field.name) == token_id:
                return _SPELLED[field.name]
        code = token_id - self.audio_0
        return f"<audio_{code}>" if 0 <= code <= N_CODES else None


class Vocabulary(Protocol):
    """The tokenizer, as prompts and answers use it."""

    @property
    def ids(self) -> TokenIds: ...

    def encode(self, text: str) -> list[int]:
        """Ids of plain text. All of them are text ids, whatever the text spells."""

    def token_bytes(self, token_id: int) -> bytes:
        """UTF-8 bytes of a token, possibly a part of a character; empty for an unknown id."""


class BpeVocabulary:
    """The checkpoint's byte-level BPE tokenizer.

    tokenizer: a `tokenizers.Tokenizer`, or a fast tokenizer of `transformers`

    Raises ModelError when it belongs to another model.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer: Tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
        self._special = {token.content: number for number, token in self._tokenizer.get_added_tokens_decoder().items()}
        self._special_ids = frozenset(self._special.values())
        self._opening = _opening(self._special)
        self._bytes: dict[int, bytes] = {}
        self.ids = TokenIds.read(self._special)

    @classmethod
    def load(cls, path: str) -> BpeVocabulary:
        """Read a `tokenizer.json`. Raises ModelError when it cannot be read or belongs to another model."""
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise MissingExtra("reading a tokenizer", "local") from None
        try:
            with open(path, "rb") as file:
                if file.read(8) == b"version ":
                    raise ModelError(f"{path} is a Git LFS pointer; run `git lfs pull` in its folder")
            tokenizer = Tokenizer.from_file(path)
        except FileNotFoundError:
            raise ModelError(f"{path} is missing; download it again") from None
        except ModelError:
            raise
        except Exception as error:  # the library raises bare Exception
            raise ModelError(f"cannot read the tokenizer {path}: {error}; download the file again") from None
        return cls(tokenizer)

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; an added token that occurs in it is split, so that it stays text."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = []
        start = 0
        for match in self._opening.finditer(text):
            ids += self._plain(text[start : match.end()])
            start = match.end()
        return ids + self._plain(text[start:])

    def _plain(self, text: str) -> list[int]:
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        if self._special_ids.isdisjoint(ids):
            return ids
        # Unicode normalisation may turn other characters into an added token.
        return [] if len(text) <= 1 else [number for character in text for number in self._plain(character)]

    def token_bytes(self, token_id: int) -> bytes:
        known = self._bytes.get(token_id)
        if known is None:
            token = self._tokenizer.id_to_token(token_id) if 0 <= token_id < 2**32 else None
            known = b"" if token is None else self._decoded(token)
            self._bytes[token_id] = known
        return known

    def _decoded(self, token: str) -> bytes:
        if token in self._special:
            return token.encode()
        try:
            return bytes(self._alphabet[character] for character in token)
        except KeyError:
            return token.encode()

    @cached_property
    def _alphabet(self) -> dict[str, int]:
        """Byte of each printable character that byte-level BPE writes for it: most stand for themselves, the rest
        begin at U+0100. Source: GPT-2's bytes_to_unicode."""
        printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
        others = [byte for byte in range(256) if byte not in printable]
        return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}


def text_of(vocabulary: Vocabulary, ids: Iterable[int]) -> str:
    """The text of the text ids among `ids`; invalid UTF-8 becomes U+FFFD."""
    known = vocabulary.ids
    return b"".join(vocabulary.token_bytes(number) for number in ids if known.is_text(number)).decode(
        "utf-8", "replace"
    )
