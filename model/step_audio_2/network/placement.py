"""On which device, and in which precision, a model runs."""

from __future__ import annotations

from agentaudio.errors import MissingExtra, OptionError

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error


def chosen_device(wanted: str | torch.device | None) -> str | torch.device:
    """The device to run on; "auto" stays as it is. wanted: None takes CUDA, else Metal, else the CPU

    Raises OptionError for a device that is not there.
    """
    if wanted is None:
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if wanted == "auto":
        return "auto"
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except Exception as failure:
        reason = str(failure).strip().splitlines()[0]
        raise OptionError(f"there is no device {str(wanted)!r} here ({reason}); leave it out, or give 'cpu'") from None
    return device


def chosen_dtype(wanted: str | torch.dtype | None, device: str | torch.device) -> str | torch.dtype:
    """The type to run in; "auto" is the checkpoint's own.

    wanted: None is "auto", but float16 on a GPU that has no bfloat16

    Raises OptionError for a type that cannot be run in.
    """
    if wanted is None:
        kind = device.type if isinstance(device, torch.device) else ""
        lacks = (kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)) or (
            kind == "mps" and not torch.backends.mps.is_macos_or_newer(14, 0)
        )
        return torch.float16 if lacks else "auto"
    if wanted == "auto":
        return wanted
    dtype = getattr(torch, wanted, None) if isinstance(wanted, str) else wanted
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise OptionError(f"dtype {wanted!r} is not one to run in; give float32, bfloat16 or float16")
    return dtype
