"""`Family`: what sets the supported models of Qwen apart."""

from __future__ import annotations

from dataclasses import dataclass

FILES = ("*.json", "*.safetensors", "*.txt", "*.jinja", "spk_dict.pt")
"""Files to download; code is not among them."""


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
    """

    name: str
    hub_id: str
    model_type: str
    network: str
    longest_audio_s: float
    sound: str
    system: str
    padded: bool


AUDIO = Family(
    name="qwen2-audio",
    hub_id="Qwen/Qwen2-Audio-7B-Instruct",
    model_type="qwen2_audio",
    network="Qwen2AudioForConditionalGeneration",
    longest_audio_s=30.0,
    sound="Audio {number}: <|audio_bos|>{token}<|audio_eos|>\n",
    system="You are a helpful assistant.",
    padded=True,
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
)


def sound_tokens(frames: int) -> int:
    """Tokens of a sound of so many feature frames of 10 ms: two convolutions halve it, a pooling too.

    Source: `_get_feat_extract_output_lengths` of both models in transformers.
    """
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1
