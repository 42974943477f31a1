"""`TurnModel`: hears by the sound of a pause whether the user has finished; which one a live session asks."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

from agentaudio.errors import OptionError, did_you_mean
from agentaudio.model.smart_turn import WEIGHTS, SmartTurn
from agentaudio.sound.audio import Audio
from agentaudio.weights.store import missing


class TurnModel(Protocol):
    """Tells finished utterances from pauses inside of them. Several sessions may use it at the same time."""

    async def finished(self, sound: Audio) -> float:
        """The probability, 0 to 1, that a user who has just paused has finished.

        sound: the turn so far and the beginning of the pause, at 16 kHz

        Raises BackendError when it fails.
        """

    async def warm_up(self) -> None:
        """Load what the first question would otherwise wait for."""


TurnModelLike = TurnModel | str | None


def turn_model_of(wanted: TurnModelLike, *, stands_in: bool) -> TurnModel | None:
    """The turn model of a live session; None for none.

    wanted: a TurnModel, or its name; "auto" is Smart Turn where it stands in for ears, if its weights and ONNX Runtime
        are on this machine
    stands_in: whether words were to decide, and no ears were found

    Raises WeightsMissing, with the command that fetches them, for "smart-turn" without its weights, and OptionError for
    an unknown name.
    """
    if not isinstance(wanted, str):
        return wanted
    if wanted == WEIGHTS:
        return SmartTurn.from_cache()
    if wanted != "auto":
        raise OptionError(f"there is no turn model {wanted!r}{did_you_mean(wanted, ['auto', WEIGHTS])}")
    if not stands_in or not find_spec("onnxruntime") or missing(WEIGHTS):
        return None
    return SmartTurn.from_cache()
