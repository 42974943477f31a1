"""What users read when torch or the device fails while the model works."""

from __future__ import annotations

from agentaudio.errors import AgentAudioError, BackendError, MissingExtra

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

_DEVICE_LOST = getattr(torch, "AcceleratorError", ())


def is_out_of_memory(failure: Exception) -> bool:
    return isinstance(failure, torch.OutOfMemoryError)


def as_model_error(failure: Exception) -> Exception:
    """The failure as a BackendError that says what to do; errors of agentaudio are returned as they are."""
    if isinstance(failure, AgentAudioError):
        return failure
    first = (str(failure).strip() or repr(failure)).splitlines()[0]
    if is_out_of_memory(failure):
        typed = BackendError("the device's memory is full; shorten the conversation, or load the model in 4 bits")
    elif isinstance(failure, _DEVICE_LOST) or (isinstance(failure, RuntimeError) and "CUDA error" in first):
        typed = BackendError(
            f"the GPU failed or is gone ({first}); start the program again, and look at `nvidia-smi` if it comes back"
        )
    else:
        typed = BackendError(f"Step-Audio 2 failed: {failure!r}; see `agentaudio doctor`")
    typed.__cause__ = failure
    return typed
