"""`Closing`: what is closed at the end of a `with` or an `async with` block."""

from __future__ import annotations

from typing import Self

from agentaudio.portal import portal


class Closing:
    """Mixin of what has an `aclose`."""

    async def aclose(self) -> None:
        """Release everything."""
        raise NotImplementedError

    def close(self) -> None:
        """`aclose` for synchronous programs. Raises OptionError inside an event loop."""
        portal().run(self.aclose(), instead="write `await agent.aclose()`")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
