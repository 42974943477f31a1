"""`IdlePrompts`, and the clock that tells when one is due."""

from __future__ import annotations

from dataclasses import dataclass

from agentaudio.errors import OptionError


@dataclass(frozen=True, slots=True)
class IdlePrompts:
    """What the agent says to a user who stays silent.

    after_s: seconds of silence after the last sound that was played, before each prompt
    prompts: said one after the other, without an answer between them; then the session rests, and `user.idle` tells

    Raises OptionError for a time that is not above 0, and for no prompts.
    """

    after_s: float = 10.0
    prompts: tuple[str, ...] = ("Are you still there?",)

    def __post_init__(self) -> None:
        if not self.after_s > 0:
            raise OptionError(f"IdlePrompts.after_s is {self.after_s!r}; give seconds above 0")
        if isinstance(self.prompts, str) or not self.prompts:
            raise OptionError(f"IdlePrompts.prompts is {self.prompts!r}; give one or more sentences in a tuple")


class IdleClock:
    """Counts the silence of both sides."""

    def __init__(self, prompts: IdlePrompts | None) -> None:
        self._prompts = prompts
        self._since_s: float | None = None
        self._said = 0

    def answered(self) -> None:
        """The user has said something."""
        self._said = 0
        self._since_s = None

    def due(self, now_s: float, *, both_silent: bool) -> str | None:
        """The prompt that is due now; "" once when all were said, None otherwise.

        both_silent: nobody speaks, thinks or works, and the microphone is on
        """
        if self._prompts is None or not both_silent or self._said > len(self._prompts.prompts):
            self._since_s = None
            return None
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s < self._prompts.after_s:
            return None
        self._since_s = None
        self._said += 1
        return (*self._prompts.prompts, "")[self._said - 1]
