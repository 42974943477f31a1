"""Networks in ONNX files: opened once, checked, and shared by threads."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")

from agentaudio.errors import BackendError  # noqa: E402
from agentaudio.onnx import INSTALL_AGAIN, OnnxNetwork, Shape  # noqa: E402

VAD = Path(__file__).parents[1] / "agentaudio" / "assets" / "silero_vad.onnx"
INPUTS: tuple[Shape, ...] = ((None, 576), (1, 1, 128), (1, 1, 128))


def network(path: Path, inputs: tuple[Shape, ...] = INPUTS, **options: Any) -> OnnxNetwork:
    return OnnxNetwork(path, "a test", inputs=inputs, extra="embedded", **options)


def frames(count: int, seed: int = 0) -> list[NDArray[np.float32]]:
    state = np.zeros((1, 1, 128), np.float32)
    return [np.random.default_rng(seed).standard_normal((count, 576)).astype(np.float32), state, state]


def test_all_outputs_come_in_the_order_of_the_file() -> None:
    probabilities, hidden, cell = network(VAD).run(*frames(3))
    assert probabilities.reshape(-1).shape == (3,) and hidden.shape == cell.shape == (1, 1, 128)


def test_a_compressed_file_is_the_same_network(tmp_path: Path) -> None:
    packed = tmp_path / "vad.onnx.gz"
    packed.write_bytes(gzip.compress(VAD.read_bytes()))
    for plain, other in zip(network(VAD).run(*frames(2)), network(packed).run(*frames(2)), strict=True):
        np.testing.assert_array_equal(plain, other)


def test_threads_share_one_session_and_get_the_same_numbers() -> None:
    shared = network(VAD)
    alone = [network(VAD).run(*frames(4, seed))[0] for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda seed: shared.run(*frames(4, seed))[0], range(8)))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_missing_file_is_reported_on_first_use(tmp_path: Path) -> None:
    absent = network(tmp_path / "absent.onnx", remedy=INSTALL_AGAIN)
    for use in (lambda: absent.run(*frames(1)), absent.metadata, absent.fingerprint):
        with pytest.raises(BackendError, match=r"absent\.onnx is missing; install agentaudio again"):
            use()


def test_a_file_that_appears_later_is_opened(tmp_path: Path) -> None:
    late = network(tmp_path / "late.onnx")
    with pytest.raises(BackendError, match="missing"):
        late.run(*frames(1))
    late.path.write_bytes(VAD.read_bytes())
    assert len(late.run(*frames(1))) == 3


@pytest.mark.parametrize("name", ["a.onnx", "a.onnx.gz"])
@pytest.mark.parametrize("content", [b"", b"not a network", VAD.read_bytes()[:100_000]])
def test_a_file_that_is_not_a_network_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BackendError, match=rf"{name} is truncated or not an ONNX file \({len(content)} bytes\)"):
        network(tmp_path / name).run(*frames(1))


@pytest.mark.parametrize("inputs", [((None, 512), *INPUTS[1:]), INPUTS[:2], ((None, 576, None), *INPUTS[1:])])
def test_a_network_with_other_inputs_is_refused(inputs: tuple[Shape, ...]) -> None:
    with pytest.raises(BackendError, match=r"another network: it takes \?x576 and 1x1x128 and 1x1x128, not"):
        network(VAD, inputs).run(*frames(1))


def test_inputs_of_the_wrong_size_are_refused() -> None:
    with pytest.raises(BackendError, match=r"silero_vad\.onnx failed on inputs of \[\(2, 3\)"):
        network(VAD).run(np.zeros((2, 3), np.float32), *frames(1)[1:])


USERS = {
    "CamPlusPlus('x.onnx').encode(sound)": ("agentaudio.sound.campplus", "CamPlusPlus", "local"),
    "SpeechTokenizer('x.onnx').tokenize(sound)": (
        "agentaudio.model.step_audio_2.token2wav.speech_tokenizer", "SpeechTokenizer", "local",
    ),
    "SentenceEmbedder()(['a'])": ("agentaudio.text.sentence_embedder", "SentenceEmbedder", "embedded"),
    "EmbeddedSpeakerEncoder().encode(sound)": (
        "agentaudio.sound.speaker_encoder", "EmbeddedSpeakerEncoder", "embedded",
    ),
}  # fmt: skip


@pytest.mark.parametrize("use", USERS)
def test_the_extra_for_onnx_runtime_is_named_by_each_user(use: str) -> None:
    module, name, extra = USERS[use]
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "import numpy as np\nfrom agentaudio import Audio\nfrom agentaudio.errors import MissingExtra\n"
        f"from {module} import {name}\n"
        "sound = Audio(0.3 * np.sin(np.arange(32000) / 9), 16000)\n"
        f"try: {use}\nexcept MissingExtra as error: print(error.extra)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == extra


def test_inner_tensors_come_after_the_outputs() -> None:
    plain = network(VAD).run(*frames(2))
    name = "/stft/Conv_output_0"
    *outputs, inner = network(VAD, inner=(name,)).run(*frames(2))
    for one, other in zip(plain, outputs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert inner.size


def test_a_network_that_frees_its_memory_gives_the_same() -> None:
    freeing = network(VAD, frees=True)
    for keeps in (False, True, False):
        for one, other in zip(freeing.run(*frames(3), keeps=keeps), network(VAD).run(*frames(3)), strict=True):
            assert np.array_equal(one, other)


def test_the_use_of_a_network_is_not_reported_to_the_maker_of_the_runtime(tmp_path: Path) -> None:
    """ONNX Runtime leaves a file with a session id where its telemetry is on."""
    program = f"""
        import numpy as np
        from pathlib import Path
        from agentaudio.onnx import OnnxNetwork
        network = OnnxNetwork(Path({str(VAD)!r}), "a test", inputs={INPUTS!r}, extra="embedded")
        state = np.zeros((1, 1, 128), np.float32)
        network.run(np.zeros((1, 576), np.float32), state, state)
    """
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], check=True, env={**environment, "TMPDIR": str(tmp_path)}
    )
    assert list(tmp_path.iterdir()) == []


def test_a_program_may_end_while_a_thread_runs_a_network() -> None:
    program = """
        import threading, time
        from agentaudio.text.embedding import default_embedder

        embed = default_embedder()
        embed(["warm up"])

        def work() -> None:
            while True:
                embed(["the quick brown fox jumps over the lazy dog " * 10] * 8)

        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.3)  # now it runs most of the time
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
