"""How the protocol's turn detection maps to ours: `server_vad` goes by the voice alone, `semantic_vad` by the words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agentaudio.live.settings import TurnTaking
from agentaudio.live.turn_taking import FRAME_S
from agentaudio.server.realtime.refusal import Refusal, wrong_type

SERVER_VAD: Mapping[str, Any] = {
    "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True, "interrupt_response": True,
}  # fmt: skip
SEMANTIC_VAD: Mapping[str, Any] = {
    "type": "semantic_vad", "eagerness": "auto", "create_response": True, "interrupt_response": True,
}  # fmt: skip
_EAGERNESS = {"low": 1.8, "medium": 1.0, "auto": 1.0, "high": 0.7}
"""Factor of the silences that end a turn."""
_INTERRUPTS_AFTER_S = FRAME_S
"""Voice that interrupts under server_vad: one decision of the detector. To wait for half a decision more notices one
interruption in twenty 20 ms later, and spares one false interruption in sixteen by noises."""
_LONGEST_DOUBT_S = 1.2
"""Time in which words decide whether a voice interrupts under semantic_vad. Clients play on meanwhile: the protocol
has no way to hold the sound."""


@dataclass(frozen=True, slots=True)
class Detection:
    """turn_taking: for the live session
    by_words: whether words decide on ends and interruptions, where there are ears
    answers: whether the end of the user's turn begins a response
    interrupts: whether the user's voice ends a response
    idle_s: silence after which the agent speaks to the user; None for none
    """

    turn_taking: TurnTaking
    by_words: bool
    answers: bool
    interrupts: bool
    idle_s: float | None


def read_turn_detection(value: Any, param: str) -> dict[str, Any] | None:
    """The whole form of what a client sends; None switches turn detection off. Raises Refusal."""
    if value is None or value is False:
        return None
    if not isinstance(value, dict):
        raise wrong_type(param, "an object or null")
    whole = {"server_vad": SERVER_VAD, "semantic_vad": SEMANTIC_VAD}.get(str(value.get("type", "server_vad")))
    if whole is None:
        raise Refusal(
            f"Invalid value for '{param}.type'. Supported values are: 'server_vad', 'semantic_vad', and null for "
            f"'{param}'.",
            param=f"{param}.type",
        )
    found = dict(whole)
    for name in whole.keys() - {"type"}:
        if value.get(name) is not None:
            found[name] = _CHECKS[name](value[name], f"{param}.{name}")
    return found


def detection(whole: Mapping[str, Any]) -> Detection:
    """What the live session does. whole: as `read_turn_detection` gives it"""
    usual = TurnTaking()
    interrupts = bool(whole["interrupt_response"])
    if whole["type"] == "semantic_vad":
        factor = _EAGERNESS[whole["eagerness"]]
        turn_taking = TurnTaking(
            complete_s=usual.complete_s * factor, pause_s=usual.pause_s * factor, open_s=usual.open_s * factor,
            unfinished_s=usual.unfinished_s * factor, dictation_s=usual.dictation_s * factor,
            longest_hold_s=_LONGEST_DOUBT_S,
        )  # fmt: skip
        idle_s = None
    else:
        pause_s = max(0.05, whole["silence_duration_ms"] / 1000)
        turn_taking = TurnTaking(
            complete_s=pause_s, pause_s=pause_s, open_s=pause_s, late_s=pause_s, dictation_s=pause_s,
            interrupts_after_s=_INTERRUPTS_AFTER_S, hold_s=_INTERRUPTS_AFTER_S, voice_above=whole["threshold"],
            pre_roll_s=max(0.01, whole["prefix_padding_ms"] / 1000),
        )  # fmt: skip
        idle_s = None if whole["idle_timeout_ms"] is None else whole["idle_timeout_ms"] / 1000
    return Detection(turn_taking, whole["type"] == "semantic_vad", bool(whole["create_response"]), interrupts, idle_s)


def _number(least: float, most: float) -> Callable[[Any, str], float]:
    def check(value: Any, param: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(param, "a number")
        if not least <= value <= most:
            raise Refusal(f"Invalid value for '{param}': give a number from {least:g} to {most:g}.", param=param)
        return value

    return check


def _flag(value: Any, param: str) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(param, "true or false")
    return value


def _eagerness(value: Any, param: str) -> str:
    if not isinstance(value, str) or value not in _EAGERNESS:
        raise Refusal(f"Invalid value for '{param}'. Supported values are: {', '.join(_EAGERNESS)}.", param=param)
    return value


_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "threshold": _number(0.01, 0.99), "prefix_padding_ms": _number(0, 2_000), "silence_duration_ms": _number(0, 10_000),
    "idle_timeout_ms": _number(1_000, 600_000), "create_response": _flag, "interrupt_response": _flag,
    "eagerness": _eagerness,
}  # fmt: skip
