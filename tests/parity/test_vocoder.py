"""The HiFT vocoder, stage by stage, and the whole decoder, streaming and not, against the reference vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.step_audio_2_vectors import Tensors, Vectors

torch = pytest.importorskip("torch", reason="the vocoder needs torch")
pytest.importorskip("yaml", reason="the decoder needs PyYAML")

from agentaudio.model.step_audio_2.token2wav.config import FlowConfig  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.flow import Flow  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.hift import HiFT  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.noise import Silence  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.source import HARMONICS, NOISE_WIDTH  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.stream import SpeechStream  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.weights import folded  # noqa: E402

NAME = "05_hift.safetensors"
FLOW = "04_flow.safetensors"
STREAM = "05_token2wav_stream.safetensors"
STEPS = 10


@pytest.fixture
def vectors(request: pytest.FixtureRequest) -> Vectors:
    return Vectors.chosen(request.config)


def built(vectors: Vectors, tensors: Tensors) -> Any:
    settings = vectors.entry(NAME)["config"]
    vocoder = HiFT(settings["base_channels"], settings["cond_channels"]).eval()
    vocoder.load_state_dict(folded(weights(tensors)))
    return vocoder


def weights(tensors: Tensors) -> dict[str, Any]:
    return {k.removeprefix("weights/"): torch.tensor(v) for k, v in tensors.items() if k.startswith("weights/")}


def near(vectors: Vectors, stage: str, what: str, actual: Any, expected: Any, name: str = NAME) -> None:
    tolerance = vectors.entry(name)["tolerance"][stage]
    np.testing.assert_allclose(
        np.asarray(actual), expected, atol=tolerance["atol"], rtol=tolerance.get("rtol", 0), err_msg=what
    )


def cases(tensors: Tensors) -> list[str]:
    return [key.removesuffix("/wav") for key in tensors if key.endswith("/wav")]


def noise(tensors: Tensors, case: str) -> Any:
    frames = tensors[f"{case}/mel"].shape[-1]
    stored = tensors.get(f"{case}/noise")
    return torch.zeros(480 * frames, HARMONICS) if stored is None else torch.tensor(stored[0])


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_decoder_from_the_stored_source(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    assert cases(tensors)
    for case in cases(tensors):
        vocoder = built(vectors, tensors)
        seen: dict[str, Any] = {}
        named = [(vocoder.conv_pre, "conv_pre"), (vocoder.conv_post, "conv_post")]
        named += [(up, f"up_{k}") for k, up in enumerate(vocoder.ups)]
        for module, name in named:
            module.register_forward_hook(lambda _, __, out, name=name, seen=seen: seen.update({name: out}))
        wave = vocoder.decode(torch.tensor(tensors[f"{case}/mel"]), torch.tensor(tensors[f"{case}/source"]))
        near(vectors, "wav_from_stored_source", f"{case}/wav", wave, tensors[f"{case}/wav"])
        for name, value in seen.items():
            if f"{case}/{name}" in tensors:
                near(vectors, "wav_from_stored_source", f"{case}/{name}", value, tensors[f"{case}/{name}"])


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_pitch(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    vocoder = built(vectors, tensors)
    stored = [case for case in cases(tensors) if f"{case}/f0" in tensors]
    assert stored
    for case in stored:
        f0 = vocoder.f0_predictor(torch.tensor(tensors[f"{case}/mel"]))
        near(vectors, "f0", f"{case}/f0", f0, tensors[f"{case}/f0"])


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_source_from_the_stored_pitch(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    source = built(vectors, tensors).m_source
    stored = [case for case in cases(tensors) if f"{case}/f0" in tensors]
    for case in stored:
        f0 = torch.tensor(tensors[f"{case}/f0"])
        phases = source.phases(f0)
        made = source(f0, phases, noise(tensors, case))
        near(vectors, "source_from_stored_f0", f"{case}/source", made, tensors[f"{case}/source"])
        sines = source.sines(phases).transpose(1, 2)
        voiced = source.voiced(f0).transpose(1, 2)
        if f"{case}/sines" in tensors:
            near(vectors, "source_from_stored_f0", f"{case}/sines", sines * voiced, tensors[f"{case}/sines"])
            assert voiced.float().numpy().tolist() == tensors[f"{case}/uv"].tolist(), case


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_whole_chain(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    vocoder = built(vectors, tensors)
    for case in cases(tensors):
        mel = torch.tensor(tensors[f"{case}/mel"])
        f0 = vocoder.f0_predictor(mel)
        source = vocoder.m_source(f0, vocoder.m_source.phases(f0), noise(tensors, case))
        cached = tensors.get(f"{case}/cache_source")
        if cached is not None:
            source[..., : cached.shape[-1]] = torch.tensor(cached)
        near(vectors, "source_from_stored_f0", f"{case}/source", source, tensors[f"{case}/source"])
        near(vectors, "wav_full_chain", f"{case}/wav", vocoder.decode(mel, source), tensors[f"{case}/wav"])


class StoredNoise:
    """Noise that is stored in the vectors."""

    def __init__(self, table: Any) -> None:
        self._table = torch.tensor(table[0].T)

    def rows(self, start: int, count: int) -> Any:
        return self._table[start : start + count]


class StoredPrompt:
    """The voice of a case."""

    content_hash = ""

    def __init__(self, tensors: Tensors, case: str) -> None:
        self.tokens = tensors[f"{case}/prompt_token"][0]
        self.mel = tensors[f"{case}/prompt_mel"][0]
        self.embedding = tensors["spk_embedding"][0]

    def batch(self) -> list[Any]:
        return [torch.tensor(one[None]) for one in (self.tokens, self.mel, self.embedding)]


def built_flow(vectors: Vectors) -> Any:
    flow = Flow(FlowConfig.from_dict(vectors.entry(FLOW)["config"])).eval()
    flow.load_state_dict(weights(vectors.tensors(FLOW)))
    return flow


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_streams_of_the_whole_decoder(vectors: Vectors) -> None:
    tensors, entry = vectors.tensors(STREAM), vectors.entry(STREAM)
    settings = entry["config"]
    flow, vocoder = built_flow(vectors), built(vectors, vectors.tensors(NAME))
    noise = StoredNoise(tensors["noise"])
    stored = {case: shapes["chunks"] for case, shapes in entry["shapes"].items() if isinstance(shapes, dict)}
    assert stored
    for case, chunks in stored.items():
        prompt = StoredPrompt(tensors, case)

        def prepare(voice: Any) -> Any:
            return flow.prepare(*voice.batch(), noise.rows(0, len(voice.mel)).T[None], STEPS)

        mels: list[Any] = []
        watching = vocoder.f0_predictor.register_forward_pre_hook(lambda _, inputs, mels=mels: mels.append(inputs[0]))
        stream = SpeechStream(
            flow, vocoder, prepare, prompt, flow_noise=noise, source_noise=Silence(NOISE_WIDTH),
            first_chunk=settings["chunk"], reference=True,
        )  # fmt: skip
        tokens = tensors[f"{case}/token"][0]
        made = [piece for token in tokens if len(piece := stream.feed(token))] + [stream.finish()]
        watching.remove()
        assert [len(piece) for piece in made] == [chunk["samples_out"] for chunk in chunks], case
        for k, piece in enumerate(made):
            pcm = np.trunc(np.clip(piece, -1, 1) * 32767)
            near(vectors, "pcm", f"{case}/pcm_{k}", pcm, tensors[f"{case}/pcm_{k}"].astype(float), STREAM)
            near(vectors, "hift_mel_i", f"{case}/hift_mel_{k}", mels[k], tensors[f"{case}/hift_mel_{k}"], STREAM)


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_whole_utterances_of_the_whole_decoder(vectors: Vectors) -> None:
    tensors = vectors.tensors(STREAM)
    flow, vocoder = built_flow(vectors), built(vectors, vectors.tensors(NAME))
    stored = [key.removesuffix("/offline_wav") for key in tensors if key.endswith("/offline_wav")]
    assert stored
    for case in stored:
        prompt, said = StoredPrompt(tensors, case), torch.tensor(tensors[f"{case}/token"])
        frames = 2 * (len(prompt.tokens) + said.shape[1])
        mel = flow(said, *prompt.batch(), torch.tensor(tensors["noise"])[..., :frames], STEPS)
        wave = vocoder(mel, torch.zeros(480 * mel.shape[-1], HARMONICS))
        near(vectors, "offline_wav", f"{case}/offline_wav", wave, tensors[f"{case}/offline_wav"], STREAM)
