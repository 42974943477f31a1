"""Checks a checkpoint's folder before it is loaded, and places it on a device."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentaudio.errors import BackendError
from agentaudio.model.generation.placement import chosen_device, chosen_dtype


def check_safetensors(folder: Path) -> None:
    """Raise BackendError for a folder without weights as safetensors: other files of weights can hold code."""
    if not any(folder.glob("*.safetensors")):
        raise BackendError(
            f"{folder} holds no weights as safetensors, and weights in other files are not read; "
            "convert them with transformers' save_pretrained, or download the checkpoint again"
        )


class Placement:
    """Where weights go.

    device: None for CUDA if available, else Metal, else the CPU; "auto" spreads the layers over all devices
    dtype: such as "float32"; None for the checkpoint's own
    quantization_config: of transformers, such as `BitsAndBytesConfig(load_in_4bit=True)`

    options: for `from_pretrained`, which reads safetensors only

    Raises OptionError for an unavailable device or an unknown dtype.
    """

    def __init__(self, device: Any, dtype: Any, quantization_config: Any) -> None:
        self._device = placed = chosen_device(device)
        self.options: dict[str, Any] = {"dtype": chosen_dtype(dtype, placed), "use_safetensors": True}
        if quantization_config is not None:
            self.options |= {"quantization_config": quantization_config, "device_map": placed}
        elif placed == "auto":
            self.options["device_map"] = placed
        elif str(placed) != "cpu" and find_spec("accelerate"):
            self.options["device_map"] = {"": placed}

    def put(self, network: Any) -> None:
        """Move a loaded network to the device, unless it is there, and set it to evaluation."""
        if "device_map" not in self.options:
            network.to(self._device)
        network.eval()
