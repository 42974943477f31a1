"""A queue of a GPU for the work of one thread, so that it does not wait for the work of others."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

from agentaudio.errors import MissingExtra

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error


class Lane:
    """A CUDA stream of its own, used within a `with` block; on other devices the block changes nothing.

    Work enqueued before the lane was made is done first. Leaving the block waits for the lane's own work, so
    that its results may be used and its inputs freed anywhere.

    urgent: its kernels go before those of other lanes
    """

    def __init__(self, device: torch.device, *, urgent: bool = False) -> None:
        self.stream = torch.cuda.Stream(device, priority=-1 if urgent else 0) if device.type == "cuda" else None
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream(device))
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        if self.stream is not None:
            self._entered.enter_context(torch.cuda.stream(self.stream))
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()
        if self.stream is not None:
            self.stream.synchronize()
