"""A page in Chromium for tests: what reaches the loudspeaker, and what comes from the microphone, with times."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
OPTIONS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required")

# Notes [time in ms, loudness, seconds] of each 1024 samples that leave for the loudspeaker (`heard`), and that
# the microphone gives (`spoken`).
TAP = """
window.heard = [];
window.spoken = [];
const connect = AudioNode.prototype.connect;
const note = (context, list) => {
  // A busy page loses blocks that it does not take in time, so they are long; each is noted in short ones.
  const tap = context.createScriptProcessor(8192, 1, 1);
  tap.onaudioprocess = ({ inputBuffer }) => {
    const samples = inputBuffer.getChannelData(0);
    const now = performance.now();
    for (let at = 0; at < samples.length; at += 1024) {
      const peak = Math.max(...samples.subarray(at, at + 1024).map(Math.abs));
      const before_s = (samples.length - at - 1024) / inputBuffer.sampleRate;
      list.push([now - 1000 * before_s, peak, 1024 / inputBuffer.sampleRate]);
    }
  };
  connect.call(tap, context.destination);
  return tap;
};
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode && !(this instanceof GainNode)) {
    connect.call(this, note(this.context, window.heard));
  }
  if (this instanceof MediaStreamAudioSourceNode && target instanceof AnalyserNode) {
    connect.call(this, note(this.context, window.spoken));
  }
  return connect.call(this, target, ...rest);
};
"""


def launched(playwright: Any, *, microphone: Path | None = None, names: Sequence[str] = ()) -> Any:
    """Chromium.

    microphone: a WAV file that is read anew, from its beginning, whenever a page opens the microphone
    names: of hosts that stand for this machine
    """
    options = [*OPTIONS]
    if names:
        options.append("--host-resolver-rules=" + ",".join(f"MAP {name} 127.0.0.1" for name in names))
    if microphone is not None:
        options += [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone.resolve()}%noloop",
        ]
    return playwright.chromium.launch(executable_path=CHROMIUM, args=options)


def audible_s(page: Any, since_ms: float = 0.0) -> float:
    """Seconds of sound that left for the loudspeaker. since_ms: by the page's clock"""
    return float(
        page.evaluate(
            "since => heard.filter(([at, peak]) => at >= since && peak > 0.001).reduce((sum, one) => sum + one[2], 0)",
            since_ms,
        )
    )


def until(page: Any, expression: str, at_most_ms: float) -> None:
    """Wait until an expression is true. The page's policy lets no string be evaluated in its own scripts."""
    begun = time.monotonic()
    while not page.evaluate(expression):
        assert time.monotonic() - begun < at_most_ms / 1000, f"not within {at_most_ms:g} ms: {expression}"
        page.wait_for_timeout(50)
