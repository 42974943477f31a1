"""`Usage`: what a turn and its session have used, held against their `UsageLimits`."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from agentaudio.limits import Limits
from agentaudio.model.speech_lm import AudioDelta, Delta, End

TOKENS = ("input_tokens", "output_tokens")


class Usage:
    """Counts what one turn uses, and adds it to what its session has used.

    session: counts of the session by the names of the limits
    """

    def __init__(self, limits: Limits, session: Counter[str]) -> None:
        self._scopes = ("turn", limits.turn, Counter[str]()), ("session", limits.session, session)

    def spent(self, *, calls: int = 0) -> str:
        """The limit that forbids `calls` and a generation after them, such as "requests of the session"; else empty."""
        for scope, limits, used in self._scopes:
            for name, wanted in (("requests", 1), ("tool_calls", calls), *((one, 1) for one in TOKENS), ("sound_s", 0)):
                most = getattr(limits, name)
                if most is not None and (used[name] + wanted > most or (name == "sound_s" and used[name] >= most)):
                    return f"{name} of the {scope}"
        return ""

    def add(self, name: str, count: float) -> None:
        """Count something under the name of its limit."""
        for _, _, used in self._scopes:
            used[name] += count  # type: ignore[assignment]  # a Counter adds up seconds as well

    async def metered(
        self, generation: AsyncGenerator[Delta, None], reached: Callable[[str], None]
    ) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of a generation and count them; it ends where the limit of its sound is reached.

        reached: called with the limit
        """
        async with aclosing(generation) as deltas:
            async for delta in deltas:
                if isinstance(delta, End):
                    for name in TOKENS:
                        self.add(name, delta.usage.get(name, 0))
                elif isinstance(delta, AudioDelta):
                    left_s, scope = self._sound_left()
                    self.add("sound_s", min(delta.audio.duration, left_s))
                    if delta.audio.duration > left_s:
                        reached(f"sound_s of the {scope}")
                        if len(kept := delta.audio.slice(0.0, left_s)):
                            yield AudioDelta(kept)
                        yield End("length")
                        return
                yield delta

    def _sound_left(self) -> tuple[float, str]:
        """Seconds of sound that may still be made, and whose limit that is."""
        left = [
            (limits.sound_s - used["sound_s"], scope)
            for scope, limits, used in self._scopes
            if limits.sound_s is not None
        ]
        return min(left, default=(float("inf"), ""))
