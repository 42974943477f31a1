"""token2wav as replicas of Ray Serve, behind one address.

    python examples/scale_out/sound.py Step-Audio-2-mini --replicas 2 --port 8200 [--address RAY] [--gpus 1]

Each replica is `agentaudio serve-token2wav` without its own socket. Clients need no affinity: a replica that does not
know a voice asks for its clip. A replica that dies is started again by Ray, and its utterances fail with one error.
Keys that clients must send come from the environment variable AGENTAUDIO_SERVER_KEYS, with commas between them.
"""

from __future__ import annotations

import argparse
import os
import threading
from pathlib import Path
from typing import Any

import ray
from ray import serve


def replicas(folder: Path, *, count: int, rows: int, steps: int, device: str | None, cpus: float, gpus: float) -> Any:
    """The application: `count` decoders of the checkpoint `folder`, each for up to `rows` utterances in one batch."""
    keys = tuple(key for key in os.environ.get("AGENTAUDIO_SERVER_KEYS", "").split(",") if key)
    where = str((folder / "token2wav").absolute())

    def build() -> Any:
        from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
        from agentaudio.server.settings import ServerSettings
        from agentaudio.server.token2wav.app import create_sound_app

        decoder = SpeechDecoder(where, device=device, steps=steps, rows=rows)
        return create_sound_app(decoder, ServerSettings(keys=keys, sessions=4 * rows, total_sessions=4 * rows))

    @serve.deployment(
        num_replicas=count,
        max_ongoing_requests=2 * rows,  # a batch that is computed, and one that waits
        ray_actor_options={"num_cpus": cpus, "num_gpus": gpus},
        graceful_shutdown_timeout_s=30.0,
    )
    @serve.ingress(build)
    class Token2Wav:
        """One replica."""

    made: Any = Token2Wav
    return made.bind()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device")
    parser.add_argument("--cpus", type=float, default=1.0, help="of each replica")
    parser.add_argument("--gpus", type=float, default=0.0, help="of each replica")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8200)
    parser.add_argument("--address", help="of a Ray cluster; none starts one on this machine")
    given = parser.parse_args()
    ray.init(address=given.address, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": given.host, "port": given.port})
    serve.run(
        replicas(
            given.folder, count=given.replicas, rows=given.rows, steps=given.steps, device=given.device,
            cpus=given.cpus, gpus=given.gpus,
        ),
        name="token2wav",
    )  # fmt: skip
    print(f"serving {given.replicas} replicas at http://{given.host}:{given.port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
