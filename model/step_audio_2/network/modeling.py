"""Step-Audio 2 as a regular transformers model: an audio encoder in front of Qwen2, with a key-value cache."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

from agentaudio.errors import BackendError, MissingExtra

try:
    import torch
    from torch import Tensor, nn
    from transformers import Cache, GenerationMixin, PreTrainedModel
    from transformers.modeling_outputs import CausalLMOutputWithPast
    from transformers.models.qwen2.modeling_qwen2 import Qwen2Model
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.network.config import StepAudio2Config
from agentaudio.model.step_audio_2.network.encoder import Adaptor, AudioEncoder, encode_pieces

CACHE = "cache" if "cache" in signature(Qwen2Model.forward).parameters else "past_key_values"
"""What the installed transformers calls the cache: `past_key_values` before version 5.24."""


class StepAudio2ForCausalLM(PreTrainedModel, GenerationMixin):
    """Text and audio in, text and speech tokens out.

    `from_pretrained`, here or of `transformers.AutoModelForCausalLM`, loads the official checkpoints
    unchanged and without remote code. The input of audio is log-mels, see `network.features`. Each
    audio is encoded once, in the pass that reads its `<audio_start>`; later passes find it in
    `past_key_values`.
    """

    config_class = StepAudio2Config
    base_model_prefix = "model"
    main_input_name = "input_ids"
    input_modalities = ("audio", "text")
    supports_gradient_checkpointing = True
    _no_split_modules = ["Qwen2DecoderLayer", "AudioBlock"]
    _skip_keys_device_placement = ["past_key_values", "cache"]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True

    def __init__(self, config: StepAudio2Config) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config.text_config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.encoder = AudioEncoder(config.audio_encoder_config)
        self.adapter = Adaptor(config.audio_encoder_config)
        self.post_init()

    def adjust_generation_fn(self, *args: Any, **kwargs: Any) -> None:
        """Set the stop tokens: the published folders have no generation_config.json; config.json lacks `<|EOT|>`."""
        super().adjust_generation_fn(*args, **kwargs)
        if self.generation_config._from_model_config:
            self.generation_config.eos_token_id = list(self.config.text_config.eos_token_id)

    def get_input_embeddings(self) -> nn.Module:
        return self.model.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.embed_tokens = value

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        input_features: Tensor | None = None,
        feature_lengths: Tensor | None = None,
        audio_embeds: Sequence[Tensor] | None = None,
        cache: Cache | None = None,
        return_dict: bool = True,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast | tuple[Any, ...]:
        """Run the tokens that are not in the cache yet.

        input_ids: (batch, length) int64; the k-th `<audio_start>` in it, row by row, takes the k-th audio
        attention_mask: (batch, cached + length), 0 for padding, which belongs on the left
        cache: the same as past_key_values, under the name that transformers uses since 5.24
        labels: (batch, length) int64, -100 for positions without loss (audio, padding)
        logits_to_keep: number of last positions, or the positions, that get logits; 0 for all
        input_features: (audios, n_mels, frames), log-mels of the audios in these `input_ids`, padded
            with zeros
        feature_lengths: (audios,) ints, frames of each audio
        audio_embeds: the output of `encode_audio`, instead of features
        returns: logits (batch, length, vocab_size), the cache, and the loss if there are labels

        Raises BackendError when the audios do not fit the places for them in `input_ids`.
        """
        if inputs_embeds is None:
            inputs_embeds = self.model.embed_tokens(input_ids)
            if input_features is not None or audio_embeds is not None:
                starts = (input_ids == self.config.audio_start_token_id).nonzero()
                if audio_embeds is None:
                    audio_embeds = self.encode_audio(input_features, feature_lengths, starts[:, 0])
                inputs_embeds = _place(inputs_embeds, starts, audio_embeds)
            elif input_ids is not None and input_ids.shape[1] > 1 and not torch.compiler.is_compiling():
                self._refuse_missing_audio(input_ids)
        outputs = self.model(
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **{CACHE: past_key_values if cache is None else cache},
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) and logits_to_keep else logits_to_keep
        hidden = outputs.last_hidden_state if isinstance(kept, int) else outputs.last_hidden_state[:, kept]
        logits = self.lm_head(hidden)
        loss = None
        if labels is not None:
            loss = self.loss_function(logits, labels, vocab_size=self.config.text_config.vocab_size)
        result = CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            **{CACHE: getattr(outputs, CACHE)},
        )
        return result if return_dict else result.to_tuple()

    def encode_audio(
        self, input_features: Tensor, feature_lengths: Tensor | None, prompts: Tensor | None = None
    ) -> list[Tensor]:
        """Encode log-mels into input rows of the language model, 12.5 per second; see `encode_pieces`.

        prompts: (audios,) ints, the prompt that each audio belongs to; None if all belong to one

        Raises BackendError when the arguments do not fit each other.
        """
        together = self.config.pieces_together
        return encode_pieces(self.encoder, self.adapter, input_features, feature_lengths, prompts, together=together)

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        is_first_iteration: bool | None = False,
        input_features: Tensor | None = None,
        feature_lengths: Tensor | None = None,
        audio_embeds: Sequence[Tensor] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Pass the audios to the pass that reads their `<audio_start>`: the first, or all passes without a cache."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        if is_first_iteration or not kwargs.get("use_cache", True):
            audio = {"input_features": input_features, "feature_lengths": feature_lengths, "audio_embeds": audio_embeds}
            inputs |= {name: value for name, value in audio.items() if value is not None}
        return inputs

    def _expand_inputs_for_generation(
        self,
        expand_size: int = 1,
        is_encoder_decoder: bool = False,
        input_ids: Tensor | None = None,
        **model_kwargs: Any,
    ) -> tuple[Tensor | None, dict[str, Any]]:
        """Repeat each prompt for several beams or samples. Its audios are encoded once, and then repeated too."""
        features = model_kwargs.pop("input_features", None)
        lengths = model_kwargs.pop("feature_lengths", None)
        audios = model_kwargs.pop("audio_embeds", None)
        if expand_size > 1 and input_ids is not None and (features is not None or audios is not None):
            owners = (input_ids == self.config.audio_start_token_id).nonzero()[:, 0]
            if audios is None:
                audios = self.encode_audio(features, lengths, owners)
            features = lengths = None
            whose = [(owners == row).nonzero()[:, 0].tolist() for row in range(len(input_ids))]
            audios = [audios[k] for prompt in whose for _ in range(expand_size) for k in prompt if k < len(audios)]
        input_ids, model_kwargs = super()._expand_inputs_for_generation(
            expand_size, is_encoder_decoder, input_ids, **model_kwargs
        )
        audio = {"input_features": features, "feature_lengths": lengths, "audio_embeds": audios}
        return input_ids, model_kwargs | {name: value for name, value in audio.items() if value is not None}

    def _refuse_missing_audio(self, input_ids: Tensor) -> None:
        patches = input_ids == self.config.audio_patch_token_id
        if (patches[:, 1:] & (input_ids[:, :-1] == self.config.audio_start_token_id)).any():
            raise BackendError("the prompt has places for audio, but there is no audio; pass input_features")


def _place(embeds: Tensor, starts: Tensor, audios: Sequence[Tensor]) -> Tensor:
    """Replace the embeddings after each `<audio_start>` by the rows of its audio.

    embeds: (batch, length, hidden); starts: (audios, 2), row and position of each `<audio_start>`
    """
    if len(starts) != len(audios):
        raise BackendError(
            f"the prompt has {len(starts)} <audio_start> but {len(audios)} audio pieces; give one piece for each"
        )
    length = embeds.shape[1]
    places = []
    for (row, start), audio in zip(starts.tolist(), audios, strict=True):
        if start + 1 + len(audio) > length:
            raise BackendError(
                f"an audio of {len(audio)} tokens does not fit after <audio_start> at {start} in a prompt of "
                f"{length} tokens; write token_count(frames) <audio_patch> for it"
            )
        places.append(torch.arange(start + 1, start + 1 + len(audio)) + row * length)
    if not places:
        return embeds
    rows = torch.cat([audio.to(embeds.device, embeds.dtype) for audio in audios])
    return embeds.flatten(0, 1).index_copy(0, torch.cat(places).to(embeds.device), rows).view_as(embeds)
