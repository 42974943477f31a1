"""The flow decoder, whole and in chunks, against the reference vectors."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from support.step_audio_2_vectors import Tensors, Vectors

torch = pytest.importorskip("torch", reason="the flow needs torch")
pytest.importorskip("yaml", reason="the flow's sizes need PyYAML")

from agentaudio.model.step_audio_2.token2wav.config import FlowConfig  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.conformer import distances  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.flow import Flow, FlowState  # noqa: E402

NAME = "04_flow.safetensors"
STEPS = 10
RECENT_FRAMES = 100


@pytest.fixture
def vectors(request: pytest.FixtureRequest) -> Vectors:
    return Vectors.chosen(request.config)


def built(vectors: Vectors, tensors: Tensors) -> Any:
    flow = Flow(FlowConfig.from_dict(vectors.entry(NAME)["config"])).eval()
    weights = {k.removeprefix("weights/"): torch.tensor(v) for k, v in tensors.items() if k.startswith("weights/")}
    flow.load_state_dict(weights)
    return flow


def parts(tensors: Tensors, case: str) -> list[Any]:
    """Prompt tokens, prompt mel and speaker embedding of a case."""
    return [torch.tensor(tensors[k]) for k in (f"{case}/prompt_token", f"{case}/prompt_mel", "spk_embedding")]


def offline_cases(tensors: Tensors) -> list[str]:
    return [key.removesuffix("/mel") for key in tensors if key.endswith("/mel")]


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_whole_utterances(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    flow, cases = built(vectors, tensors), offline_cases(tensors)
    assert cases
    for case in cases:
        named = re.search(r"(\d+)_steps", case)
        tokens, mel, embedding = parts(tensors, case)
        said = torch.tensor(tensors[f"{case}/token"])
        noise = torch.tensor(tensors["noise"])[..., : 2 * (tokens.shape[1] + said.shape[1])]
        made = flow(said, tokens, mel, embedding, noise, int(named[1]) if named else STEPS)
        vectors.check(NAME, f"{case}/mel", made, tensors[f"{case}/mel"])


def watch(flow: Any) -> tuple[dict[str, Any], list[tuple[Any, Any]]]:
    """Outputs of the encoder's parts, by their names in the vectors, and inputs and outputs of the estimator."""
    seen: dict[str, Any] = {}
    runs: list[tuple[Any, Any]] = []
    encoder = flow.encoder
    for module, name in ((encoder.embed, "embed_out"), (flow.encoder_proj, "mu")):
        module.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
    named = [(block, f"conformer_{k}_out") for k, block in enumerate(encoder.encoders)]
    named += [(encoder.pre_lookahead_layer, "lookahead_out"), (encoder.up_layer, "upsampled")]
    for module, name in named:
        module.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out[0]}))
    flow.estimator.t_embedder.register_forward_pre_hook(lambda _, inputs: seen.update(ode_t=inputs[0]))
    flow.estimator.register_forward_hook(lambda _, inputs, out: runs.append((inputs[0], out[0])))
    return seen, runs


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_intermediate_values(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    cases = [case for case in offline_cases(tensors) if f"{case}/ode_t" in tensors]
    assert cases
    for case in cases:
        flow = built(vectors, tensors)
        seen, runs = watch(flow)
        tokens, mel, embedding = parts(tensors, case)
        said = torch.tensor(tensors[f"{case}/token"])
        count = tokens.shape[1] + said.shape[1]
        noise = torch.tensor(tensors["noise"])[..., : 2 * count]
        flow(said, tokens, mel, embedding, noise, len(tensors[f"{case}/ode_t"]))
        bands = flow.config.output_size
        seen["spk_projected"] = flow.speaker(embedding)
        seen["pos_emb"] = distances(0, count, seen["embed_out"])[None]
        seen["ode_x_in"] = torch.stack([x[0, :, :bands].T for x, _ in runs])
        seen["ode_v_cond"] = torch.stack([velocity[0].T for _, velocity in runs])
        seen["ode_v_uncond"] = torch.stack([velocity[1].T for _, velocity in runs])
        checked = {name for name in seen if f"{case}/{name}" in tensors}
        assert {"mu", "ode_t", "ode_v_cond"} <= checked
        for name in checked:
            vectors.check(NAME, f"{case}/{name}", seen[name], tensors[f"{case}/{name}"])


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_single_blocks_on_tiny_activations(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    flow = built(vectors, tensors)
    x = torch.tensor(tensors["unit/conformer_0_in"])
    nothing = flow.encoder.start().token_keys[0]
    out, _ = flow.encoder.encoders[0](x, distances(0, x.shape[1], x), nothing)
    vectors.check(NAME, "unit/conformer_0_out", out, tensors["unit/conformer_0_out"])
    block = flow.estimator.blocks[0]
    _, memory = flow.estimator.start(1)
    modulation = block.adaLN_modulation(torch.tensor(tensors["unit/dit_0_c"]))
    out, _, _ = block(torch.tensor(tensors["unit/dit_0_in"]), modulation, None, memory[0])
    vectors.check(NAME, "unit/dit_0_out", out, tensors["unit/dit_0_out"])


def caches(state: FlowState) -> dict[str, Any]:
    """The streaming state, with the names and layout of the vectors."""
    encoder = state.encoder
    doubled = [keys.repeat(1, 1, 2, 1) for keys in encoder.token_keys]
    return {
        "conformer_cnn_cache": torch.cat((encoder.lookahead, encoder.upsampler), -1),
        "conformer_att_cache": torch.stack([*doubled, *encoder.frame_keys]),
        "estimator_cnn_cache": torch.stack(state.memory),
        "estimator_att_cache": torch.stack(state.past),
    }


def check_caches(vectors: Vectors, tensors: Tensors, where: str, state: FlowState) -> None:
    for name, value in caches(state).items():
        if f"{where}/{name}" in tensors:
            expected = tensors[f"{where}/{name}"]
            # The reference allocates ten steps, even when it uses fewer.
            vectors.check(NAME, f"{where}/{name}", value, expected[: len(value)] if "estimator" in name else expected)


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_streams(vectors: Vectors) -> None:
    tensors, entry = vectors.tensors(NAME), vectors.entry(NAME)
    flow, noise = built(vectors, tensors), torch.tensor(tensors["noise"])
    cases = {case: info[1:] for case, info in entry["shapes"].items() if isinstance(info, list)}
    assert cases
    for case, chunks in cases.items():
        # The two long ones share their tokens.
        source = case if f"{case}/token" in tensors else case.replace("no_trim", "trim")
        tokens, mel, embedding = parts(tensors, source)
        said = torch.tensor(tensors[f"{source}/token"])
        prompt = mel.shape[1]
        named = re.search(rf"{case}:[^()]*?(\d+) ODE steps", entry["chunking"])
        steps = int(named[1]) if named else STEPS
        state = flow.prepare(tokens, mel, embedding, noise[..., :prompt], steps)
        check_caches(vectors, tensors, f"{case}/setup", state)
        done = 0
        for k, info in enumerate(chunks):
            piece = said[:, done : done + info["tokens_in"]]
            done += info["mel_frames"] // 2
            start = state.frames
            made, state = flow.chunk(piece, state, noise[..., start : start + info["mel_frames"]], info["last"])
            vectors.check(NAME, f"{case}/mel_{k}", made, tensors[f"{case}/mel_{k}"])
            if "no_trim" not in case:
                state = state.bounded(RECENT_FRAMES, None)
            check_caches(vectors, tensors, f"{case}/after_chunk_{k}", state)
        assert done == said.shape[1], case


@pytest.mark.parametrize(("dtype", "most_db"), [(torch.float16, 0.02), (torch.bfloat16, 0.15)])
@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_half_precision_comes_near(vectors: Vectors, dtype: Any, most_db: float) -> None:
    """The root of the mean squared difference of the mels, in dB; float16 is what a GPU computes with by default."""
    tensors = vectors.tensors(NAME)
    flow, cases = built(vectors, tensors).to(dtype), offline_cases(tensors)
    assert cases
    for case in cases:
        named = re.search(r"(\d+)_steps", case)
        tokens, mel, embedding = parts(tensors, case)
        said = torch.tensor(tensors[f"{case}/token"])
        noise = torch.tensor(tensors["noise"])[..., : 2 * (tokens.shape[1] + said.shape[1])]
        made = flow(said, tokens, mel, embedding, noise, int(named[1]) if named else STEPS)
        off = (made - torch.tensor(tensors[f"{case}/mel"])).square().mean().sqrt()
        assert 20 / math.log(10) * off < most_db, case
