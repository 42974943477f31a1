"""`token_counts`: the usage that a server reports, under the names of `End.usage`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class UsageForm:
    """How an API names what went in and came out: `{input}_tokens` for the sums, `{input}{details}` for their parts."""

    input: str
    output: str
    details: str


CHAT = UsageForm("prompt", "completion", "_tokens_details")
REALTIME = UsageForm("input", "output", "_token_details")


def token_counts(usage: Any, form: UsageForm) -> dict[str, float]:
    """Sums, and the shares of sound and cache, where they are finite numbers; nothing for anything but an object."""
    return dict(_counts(usage, form)) if isinstance(usage, dict) else {}


def _counts(usage: dict[str, Any], form: UsageForm) -> Iterator[tuple[str, float]]:
    for kind, key in (("input", form.input), ("output", form.output)):
        details = usage.get(f"{key}{form.details}")
        details = details if isinstance(details, dict) else {}
        for name, value in (
            (f"{kind}_tokens", usage.get(f"{key}_tokens")),
            (f"{kind}_audio_tokens", details.get("audio_tokens")),
            (f"{kind}_cached_tokens", details.get("cached_tokens")),
        ):
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15:
                yield name, value
