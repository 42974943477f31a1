"""The audio encoder of Step-Audio 2, shaped like Whisper's, and the adaptor between it and the language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentaudio.errors import AudioError, BackendError, MissingExtra

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
    from transformers import GradientCheckpointingLayer
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.network.features import token_count

if TYPE_CHECKING:  # the plug-in for vLLM runs with versions of transformers for which the module has no class
    from agentaudio.model.step_audio_2.network.config import StepAudio2AudioConfig, StepAudio2Config

MASKED = -1e10
ADAPTER_WIDTH = 2048
"""Hidden width of the adaptor, a constant in the reference code."""
NORM_EPS = 1e-5


class AudioAttention(nn.Module):
    """Self-attention of all frames to all unmasked frames."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: (batch, time, width); bias: (batch, 1, 1, time), added to the scores. Returns like x."""
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        # The reference scales query and key; in half precision, scaling the scores rounds differently.
        scale = query.shape[-1] ** -0.25
        mixed = functional.scaled_dot_product_attention(query * scale, key * scale, value, attn_mask=bias, scale=1.0)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class AudioBlock(GradientCheckpointingLayer):
    """One pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = AudioAttention(width, heads)
        self.attn_ln = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.mlp_ln = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: (batch, time, width); bias: (batch, 1, 1, time), added to the scores. Returns like x."""
        x = x + self.attn(self.attn_ln(x), bias)
        mixed: Tensor = x + self.mlp(self.mlp_ln(x))
        return mixed


class AudioEncoder(nn.Module):
    """Log-mels at 100 Hz to hidden frames at 25 Hz.

    Source: Step-Audio2's AudioEncoder (Whisper's, with average pooling behind its blocks).
    """

    def __init__(self, config: StepAudio2AudioConfig) -> None:
        super().__init__()
        width = config.n_audio_state
        self.conv1 = nn.Conv1d(config.n_mels, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self.positional_embedding = nn.Embedding(config.n_audio_ctx, width)
        self.blocks = nn.ModuleList(AudioBlock(width, config.n_audio_head) for _ in range(config.n_audio_layer))
        self.after_norm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Encode a padded batch.

        mel: (batch, n_mels, T), padded with zeros; lengths: (batch,) ints, frames of each less 2
        returns: (batch, ((T + 1) // 2) // 2, width); the first ((length + 1) // 2) // 2 rows of an
            item are valid. The last of them also depends on the padding, as in the reference.

        Raises AudioError for more than 2 * n_audio_ctx frames.
        """
        longest = 2 * self.positional_embedding.num_embeddings
        if mel.shape[-1] > longest:
            raise AudioError(f"a piece of {mel.shape[-1]} log-mel frames is too long; cut it to at most {longest}")
        x = functional.gelu(self.conv1(mel.to(self.conv1.weight.dtype)))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        bias = self._bias(lengths, mel.shape[-1]).to(x.device)
        # In float16, -1e10 would be -inf, so the smallest finite number replaces it.
        bias = bias.clamp(min=torch.finfo(x.dtype).min).to(x.dtype)
        x = x + self.positional_embedding.weight[: x.shape[1]]
        for block in self.blocks:
            x = block(x, bias)
        pooled = functional.avg_pool1d(x.transpose(1, 2), kernel_size=2, stride=2).transpose(1, 2)
        normed: Tensor = self.after_norm(pooled)
        return normed

    @staticmethod
    def _bias(lengths: Tensor, frames: int) -> Tensor:
        return torch.where(attended(lengths, frames), 0.0, MASKED)[:, None, None, :]


def attended(lengths: Tensor, frames: int) -> Tensor:
    """Which frames after the second convolution are unmasked. As in the reference, it depends on the padding.

    lengths: (batch,) ints, frames of each item less 2; frames: T of the padded batch
    returns: (batch, (T + 1) // 2) bool
    """
    positions = 2 * torch.arange((frames + 1) // 2, device=lengths.device) + (frames % 2 == 0)
    return positions < lengths[:, None]


class Adaptor(nn.Module):
    """Hidden frames at 25 Hz to rows for the language model at 12.5 Hz."""

    def __init__(self, config: StepAudio2AudioConfig) -> None:
        super().__init__()
        width = config.n_audio_state
        self.conv = (
            None
            if config.adapter_stride == -1
            else nn.Conv1d(width, width, config.kernel_size, stride=config.adapter_stride, padding=1)
        )
        self.linear1 = nn.Linear(width, ADAPTER_WIDTH)
        self.linear2 = nn.Linear(ADAPTER_WIDTH, config.llm_dim)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, width). Returns (batch, (time - 1) // 2 + 1, llm_dim) with the usual stride of 2."""
        if self.conv is not None:
            x = functional.gelu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        rows: Tensor = self.linear2(functional.relu(self.linear1(x)))
        return rows


class Ears(nn.Module):
    """The audio encoder and the adaptor alone, for a language model that runs elsewhere."""

    def __init__(self, config: StepAudio2Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = AudioEncoder(config.audio_encoder_config)
        self.adapter = Adaptor(config.audio_encoder_config)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.encoder.conv1.weight.device
        return device

    def encode_audio(self, input_features: Tensor, feature_lengths: Tensor | None) -> list[Tensor]:
        """Encode log-mels into input rows of the language model; see `encode_pieces`."""
        return encode_pieces(
            self.encoder, self.adapter, input_features, feature_lengths, together=self.config.pieces_together
        )


def encode_pieces(
    encoder: AudioEncoder,
    adapter: Adaptor,
    input_features: Tensor,
    feature_lengths: Tensor | None,
    prompts: Tensor | None = None,
    *,
    together: bool,
) -> list[Tensor]:
    """Encode log-mels into input rows of the language model, 12.5 per second.

    input_features: (audios, n_mels, frames), padded with zeros
    feature_lengths: (audios,) ints, frames of each; None if none is padded
    prompts: (audios,) ints, the prompt that each audio belongs to; None if all belong to one
    together: the audios of a prompt are padded to its longest one, which changes the result; see `pieces_together`
        in StepAudio2Config
    returns: (token_count(frames), hidden_size) for each audio; possibly no rows

    Raises BackendError when the arguments do not fit each other.
    """
    audios, _, padded = input_features.shape
    frames = [padded] * audios if feature_lengths is None else feature_lengths.tolist()
    if len(frames) != audios or max(frames, default=0) > padded or min(frames, default=1) < 1:
        raise BackendError(f"feature_lengths {frames} do not fit features of shape {tuple(input_features.shape)}")
    owners = [0] * audios if prompts is None else prompts.tolist()
    if len(owners) != audios:
        raise BackendError(
            f"the prompt has {len(owners)} <audio_start> but {audios} audio pieces; give one piece for each"
        )
    longest: dict[int, int] = {}
    for owner, count in zip(owners, frames, strict=True):
        longest[owner] = max(longest.get(owner, 0), count)
    widths = [longest[owner] if together else count for owner, count in zip(owners, frames, strict=True)]
    rows: list[Tensor | None] = [None] * audios
    for width in dict.fromkeys(widths):
        members = [k for k in range(audios) if widths[k] == width]
        mel = input_features[members, :, :width].to(encoder.conv1.weight.device)
        lengths = torch.tensor([frames[k] - 2 for k in members], device=mel.device)
        encoded = adapter(encoder(mel, lengths))
        for k, rows_of_one in zip(members, encoded, strict=True):
            rows[k] = rows_of_one[: token_count(frames[k])]
    return [row for row in rows if row is not None]
