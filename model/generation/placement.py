"""Chooses the device and the precision of a model."""

from __future__ import annotations

from agentaudio.errors import MissingExtra, OptionError

try:
    import torch
except ImportError as error:
    raise MissingExtra("a model by weights", "local") from error


def chosen_device(wanted: str | torch.device | None) -> str | torch.device:
    """The device to run on.

    wanted: None for CUDA if available, else Metal, else the CPU; "auto" is returned unchanged

    Raises OptionError for an unavailable device.
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
        raise OptionError(
            f"there is no device {str(wanted)!r} here ({reason}); leave the option out, or give 'cpu'"
        ) from None
    return device


def chosen_dtype(wanted: str | torch.dtype | None, device: str | torch.device) -> str | torch.dtype:
    """The floating-point type to run in; "auto" is the checkpoint's own.

    wanted: None for "auto", or float16 on a GPU without bfloat16

    Raises OptionError for any type but float32, bfloat16 and float16.
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
        raise OptionError(f"dtype {wanted!r} is not supported; give float32, bfloat16 or float16")
    return dtype
