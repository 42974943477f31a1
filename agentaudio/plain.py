"""`plain`: convert agentaudio's values to data for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from agentaudio.sound.audio import Audio
from agentaudio.voice_library.voice import Voice


class PlainForm:
    """Mixin of values with a `to_dict`: pydantic writes them in that form, as in an answer of FastAPI."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        writing = core_schema.plain_serializer_function_ser_schema(
            cls.to_dict, return_schema=core_schema.dict_schema(), when_used="json"
        )
        return core_schema.is_instance_schema(cls, serialization=writing)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "object", "title": cls.__name__}


def plain(value: Any) -> Any:
    """Convert `value` to dicts, lists, strings, numbers and None. Audio becomes its duration and sample rate."""
    if isinstance(value, Audio):
        return {"duration_s": round(value.duration, 3), "sample_rate_hz": value.sample_rate}
    if isinstance(value, Voice):
        return value.to_dict()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, BaseException):
        return {"kind": type(value).__name__, "message": str(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4)
    return value if isinstance(value, str | int | bool | None) else repr(value)
