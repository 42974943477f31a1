"""Speaker encoders by name; those that need torch run where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import AgentAudioError, OptionError, VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder, SpeakerEncoder
from agentaudio.voice_library.encoders import default_encoder, load_encoder
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.reindex import reindex


def behaves(encoder: SpeakerEncoder, tmp_path: Path) -> None:
    """What every encoder owes: unit vectors of its width, the same for the same clip, and a library that takes them."""
    clip = demo_voices().get("angus").clip
    embedding = encoder.encode(clip)
    assert embedding.shape == (encoder.dim,) and embedding.dtype == np.float32
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-4)
    assert encoder.encode(clip) @ embedding > 0.9999 and 0 < encoder.same_speaker_above < 1
    assert encoder.encode(clip.resample(48_000)).shape == (encoder.dim,)
    for bad in (Audio.silence(2, 16_000), clip.slice(0, 0.2)):
        with pytest.raises(VoiceError):
            encoder.encode(bad)
    library = VoiceLibrary.create(tmp_path / "library")
    library.add(clip, id="angus", name="Angus", description="")
    assert reindex(library, encoder) == {} and library.encoder_name == encoder.name and library.dim == encoder.dim


def test_the_embedded_encoder_is_known_by_name(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")
    behaves(load_encoder("embedded"), tmp_path)


def test_cam_plus_plus_encodes_with_the_network_of_a_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra local is not installed")
    pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")
    from agentaudio.model.step_audio_2.token2wav.tiny_onnx import write_tiny_onnx

    write_tiny_onnx(tmp_path / "checkpoint" / "token2wav")
    encoder = load_encoder(f"campplus:{tmp_path / 'checkpoint'}")
    assert encoder.dim == 192 and encoder.name.startswith("campplus-")
    behaves(encoder, tmp_path)


def test_a_downloaded_checkpoint_makes_cam_plus_plus_the_default(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra local is not installed")
    pytest.importorskip("kaldi_native_fbank", reason="the extra local is not installed")
    pytest.importorskip("huggingface_hub", reason="the extra local is not installed")
    from agentaudio.model.step_audio_2.token2wav.tiny_onnx import write_tiny_onnx

    assert isinstance(default_encoder(), EmbeddedSpeakerEncoder)
    assert default_encoder("another") is None
    repository = tmp_path / "models--stepfun-ai--Step-Audio-2-mini"
    write_tiny_onnx(repository / "snapshots" / "abc" / "token2wav")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    code = (
        "from agentaudio.voice_library.encoders import default_encoder;"
        "print(default_encoder().name, default_encoder('resemblyzer-0.1.4').name)"
    )
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path)}
    names = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment).split()
    assert names[0].startswith("campplus-") and names[1] == EmbeddedSpeakerEncoder.name


def test_wavlm_encodes_with_a_model_of_transformers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra local is not installed")
    pytest.importorskip("transformers", reason="the extra local is not installed")
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, conv_dim=(32,) * 7,
        tdnn_dim=(32, 32, 64), tdnn_kernel=(5, 3, 1), tdnn_dilation=(1, 2, 1), xvector_output_dim=24,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    WavLMForXVector(config).save_pretrained(tmp_path / "model")
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(tmp_path / "model")
    encoder = load_encoder(f"wavlm:{tmp_path / 'model'}")
    assert encoder.dim == 24 and encoder.name.startswith("wavlm-")
    behaves(encoder, tmp_path)
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(OptionError, match="is not a WavLM x-vector model"):
        load_encoder(f"wavlm:{tmp_path / 'model'}")


def test_ecapa_encodes_with_the_weights_of_speechbrain(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra speechbrain is not installed")
    models = pytest.importorskip("speechbrain.lobes.models.ECAPA_TDNN", reason="the extra speechbrain is not installed")
    torch.manual_seed(0)
    network = models.ECAPA_TDNN(
        80, channels=[1024, 1024, 1024, 1024, 3072], kernel_sizes=[5, 3, 3, 3, 1], dilations=[1, 2, 3, 4, 1],
        attention_channels=128, lin_neurons=192,
    )  # fmt: skip
    weights = tmp_path / "embedding_model.ckpt"
    torch.save(network.state_dict(), weights)
    encoder = load_encoder(f"ecapa:{tmp_path}")
    assert encoder.name.startswith("ecapa-")
    behaves(encoder, tmp_path)
    from speechbrain.lobes.features import Fbank
    from speechbrain.processing.features import InputNormalization

    # The same weights, put together as SpeechBrain's EncoderClassifier.encode_batch does.
    clip, whole = demo_voices().get("angus").clip, torch.ones(1)
    features = Fbank(n_mels=80)(torch.from_numpy(clip.samples.copy())[None])
    normalised = InputNormalization(norm_type="sentence", std_norm=False)(features, whole)
    with torch.inference_mode():
        expected = network.eval()(normalised, whole)[0, 0].numpy()
    assert encoder.encode(clip) @ expected / np.linalg.norm(expected) > 0.99999
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(OptionError, match="does not hold ECAPA-TDNN's weights"):
        load_encoder(f"ecapa:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("embeded", "did you mean 'embedded'"),
        ("", "no speaker encoder ''"),
        ("campplus", "write campplus:FOLDER"),
        ("campplus:/nowhere", "/nowhere has neither token2wav/campplus.onnx nor"),
        ("wavlm", "write wavlm:FOLDER"),
        ("wavlm:/nowhere", "/nowhere has neither|extra 'local'"),
        ("ecapa:/nowhere", "cannot read /nowhere/embedding_model.ckpt|extra 'speechbrain'"),
    ],
)
def test_an_encoder_that_cannot_be_loaded_is_named(name: str, words: str) -> None:
    with pytest.raises(AgentAudioError, match=words):
        load_encoder(name)
