"""`Family`: what sets the supported models of Qwen apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentaudio.model.hub import CHECKPOINT

OWNER = "Qwen"
FILES = (*CHECKPOINT, "spk_dict.pt")


def sound_tokens(frames: int) -> int:
    """Tokens of a sound of so many feature frames of 10 ms, 25 a second: a convolution and a pooling halve it.

    Source: the strides of Qwen2-Audio's encoder, which Qwen2.5-Omni has too.
    """
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


def sound_tokens_3(frames: int) -> int:
    """Tokens of a sound for Qwen3-Omni, 13 a second: three convolutions halve each piece of 100 frames.

    Source: the strides of its encoder in transformers.
    """
    pieces, rest = divmod(frames, 100)
    for _ in range(3):
        rest = (rest + 1) // 2
    return 13 * pieces + rest


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of checkpoint.

    name: of the model, as in `load_model`
    hub_id: the official checkpoint
    model_type: in its config.json
    network: its class in transformers
    longest_audio_s: of one sound
    sound: how a prompt marks the place of a sound, where agentaudio writes the prompt. {number} counts
        the sounds, {token} becomes as many tokens as the sound has
    system: begins the system message; the models were trained with it
    padded: whether each sound is padded to the longest one, as the encoder needs it
    tokens: of a sound, by its feature frames
    thinker: whether the network that writes is a part named thinker
    speaks: whether its own sound is supported
    """

    name: str
    hub_id: str
    model_type: str
    network: str
    longest_audio_s: float
    sound: str
    system: str
    padded: bool
    tokens: Callable[[int], int] = sound_tokens
    thinker: bool = True
    speaks: bool = False


AUDIO = Family(
    name="qwen2-audio",
    hub_id="Qwen/Qwen2-Audio-7B-Instruct",
    model_type="qwen2_audio",
    network="Qwen2AudioForConditionalGeneration",
    longest_audio_s=30.0,
    sound="Audio {number}: <|audio_bos|>{token}<|audio_eos|>\n",
    system="You are a helpful assistant.",
    padded=True,
    thinker=False,
)
OMNI = Family(
    name="qwen2.5-omni",
    hub_id="Qwen/Qwen2.5-Omni-7B",
    model_type="qwen2_5_omni",
    network="Qwen2_5OmniForConditionalGeneration",
    longest_audio_s=300.0,
    sound="<|audio_bos|>{token}<|audio_eos|>",
    system=(
        "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory "
        "and visual inputs, as well as generating text and speech."
    ),
    padded=False,
    speaks=True,
)
OMNI_3 = Family(
    name="qwen3-omni",
    hub_id="Qwen/Qwen3-Omni-30B-A3B-Instruct",
    model_type="qwen3_omni_moe",
    network="Qwen3OmniMoeForConditionalGeneration",
    longest_audio_s=300.0,
    sound="<|audio_start|>{token}<|audio_end|>",
    system="You are a helpful assistant.",
    padded=False,
    tokens=sound_tokens_3,
)
