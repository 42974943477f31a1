"""`read_form`: the fields of a form with sound files, within bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from agentaudio.errors import AudioError
from agentaudio.server.errors import ApiError
from agentaudio.sound.audio import Audio

HIGHEST_RATE_HZ = 48_000


@dataclass(frozen=True)
class Form:
    """What a form held. texts, files: by field"""

    texts: Mapping[str, str]
    files: Mapping[str, bytes]

    def text(self, field: str, *, required: bool = False) -> str:
        """A text; empty when it was not sent. Raises ApiError 400 when it is required."""
        found = self.texts.get(field, "").strip()
        if required and not found:
            raise _missing(field)
        return found

    def number(self, field: str, *, least: int, most: int, otherwise: int) -> int:
        """A whole number. Raises ApiError 400 for another text, or a number out of range."""
        found = self.text(field)
        if not found:
            return otherwise
        if not (found.isascii() and found.isdecimal() and least <= int(found) <= most):
            raise ApiError(400, f"{field} is a whole number from {least} to {most}", param=field, code="invalid_value")
        return int(found)

    async def sound(self, field: str, *, longest_s: float) -> Audio:
        """A sound file, decoded. Raises ApiError 400 when it is missing, or cannot be read or used."""
        if not self.files.get(field):
            raise _missing(field)
        try:
            sound = await Audio.aload(
                self.files[field], max_duration_s=longest_s, setting="", highest_rate=HIGHEST_RATE_HZ
            )  # fmt: skip
        except AudioError:
            problem = f"{field} cannot be read; send a sound file, such as WAV, of at most {longest_s:g} s"
            raise ApiError(400, problem, param=field, code="invalid_audio") from None
        if not len(sound) or sound.is_silent:
            raise ApiError(400, f"{field} is silent; record it again", param=field, code="invalid_audio")
        return sound


async def read_form(request: Request, *, texts: Mapping[str, int], files: Sequence[str] = ()) -> Form:
    """Read a form, `multipart/form-data` or with texts alone.

    texts: names of fields, each with the most characters that it may have; others are ignored
    files: names of the fields that hold files

    Raises ApiError 400 for a body that is not a form, and for a field that is too long or of the wrong kind.
    """
    found: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    try:
        async with request.form(max_files=len(files) + 2, max_fields=32, max_part_size=256_000) as form:
            for field, value in form.multi_items():
                if field in texts:
                    if not isinstance(value, str):
                        raise ApiError(400, f"{field} is a text, not a file", param=field, code="invalid_value")
                    if len(value) > texts[field]:
                        most = f"{field} may have {texts[field]} characters"
                        raise ApiError(400, most, param=field, code="invalid_value")
                    found[field] = value
                elif field in files:
                    if not isinstance(value, UploadFile):
                        raise ApiError(400, f"{field} is a file, not a text", param=field, code="invalid_value")
                    contents[field] = await value.read()
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise ApiError(400, "the body is not a form that can be read; send multipart/form-data") from None
    return Form(found, contents)


def _missing(field: str) -> ApiError:
    return ApiError(400, f"{field} is missing", param=field, code="missing_required_parameter")
