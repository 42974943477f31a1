"""The option `--turn-model` of `chat` and `serve`."""

from __future__ import annotations

from typing import Literal

from agentaudio.model.smart_turn import SmartTurn

TurnModelName = Literal["auto", "smart-turn", "none"]


def named_turn_model(name: TurnModelName) -> SmartTurn | Literal["auto"] | None:
    """The setting `turn_model` of live sessions. Raises WeightsMissing for "smart-turn" without its weights."""
    match name:
        case "none":
            return None
        case "smart-turn":
            return SmartTurn.from_cache()
        case "auto":
            return "auto"
