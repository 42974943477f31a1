"""A worker process that runs piper-tts.

The package runs in a process of its own because it is licensed under the GPL-3, and so is the eSpeak NG in it.

    python -m agentaudio.model.piper.piper_worker VOICE.onnx
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from agentaudio.onnx import refuse_telemetry
from agentaudio.workers.messages import Message
from agentaudio.workers.serving import serve


def main() -> None:
    path = Path(sys.argv[1])
    voice: Any = None

    def handle(request: dict[str, Any], _: bytes | bytearray) -> Message:
        nonlocal voice
        try:
            refuse_telemetry()
            from piper import PiperVoice, SynthesisConfig
            from piper.config import PiperConfig

            if voice is None:
                config = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text(encoding="utf-8")))
                voice = PiperVoice(session=_session(path), config=config)
            settings = SynthesisConfig(
                speaker_id=request["speaker"], length_scale=voice.config.length_scale / request["speed"]
            )
            pcm = b"".join(chunk.audio_int16_bytes for chunk in voice.synthesize(request["text"], settings))
        except Exception as error:  # of onnxruntime, of the configuration, of the package
            raise RuntimeError(f"Piper failed with {path.name}: {' '.join(repr(error).split())[:300]}") from None
        return {}, pcm

    serve(handle)


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more of them wait by spinning
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
