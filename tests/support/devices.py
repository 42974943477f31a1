"""Microphones and loudspeakers of a page in Chromium that a test plugs in, takes away and silences."""

from __future__ import annotations

from typing import Any

DEVICES = """
window.devices = (() => {
  const inputs = new Map(); // id -> {id, rate, hz, gain, vanishes (while it is opened), level, tracks}
  const media = navigator.mediaDevices ?? {};
  let failure = null;
  const changed = () => media.dispatchEvent?.(new Event("devicechange"));
  const listed = ({ id }) => ({ kind: "audioinput", deviceId: id, label: `Microphone ${id}`, groupId: id });

  const NativeContext = window.AudioContext;
  const outputs = []; // those of the page
  window.AudioContext = class extends NativeContext {
    constructor(options = {}) {
      super(window.outputRate ? { sampleRate: window.outputRate, ...options } : options);
      outputs.push(this);
      if (window.isHeldBack) this.suspend();
    }
    resume() {
      return window.isHeldBack ? new Promise(() => {}) : super.resume();
    }
    createMediaStreamSource(stream) {
      if (stream.rate && stream.rate !== this.sampleRate) throw new DOMException("", "NotSupportedError");
      return super.createMediaStreamSource(stream);
    }
  };

  function open(input) {
    const context = new NativeContext({ sampleRate: input.rate });
    const tone = new OscillatorNode(context, { frequency: input.hz });
    const level = new GainNode(context, { gain: input.gain });
    const out = context.createMediaStreamDestination();
    tone.connect(level).connect(out);
    tone.start();
    const [track] = out.stream.getTracks();
    track.getSettings = () => ({ deviceId: input.id, sampleRate: input.rate });
    out.stream.rate = input.rate;
    input.level = level;
    input.tracks.push(track);
    return out.stream;
  }

  media.enumerateDevices = async () => [...inputs.values()].map(listed);
  media.getUserMedia = async ({ audio }) => {
    window.devices.asked.push(audio);
    if (failure) throw new DOMException("", failure);
    const wanted = audio.deviceId?.exact;
    const input = wanted ? inputs.get(wanted) : [...inputs.values()][0];
    if (!input) throw new DOMException("", "NotFoundError");
    window.devices.used = input.id;
    const stream = open(input);
    if (input.vanishes) window.devices.unplug(input.id);
    return stream;
  };

  const send = (id, name) => inputs.get(id).tracks.at(-1).dispatchEvent(new Event(name));
  return {
    asked: [], // constraints
    used: null,
    outputs,
    fail: (name) => {
      failure = name;
    },
    plug: (id, { rate = 48000, hz = 1000, gain = 0.3, vanishes = false } = {}) => {
      inputs.set(id, { id, rate, hz, gain, vanishes, level: null, tracks: [] });
      changed();
    },
    unplug: (id) => {
      const { tracks } = inputs.get(id);
      inputs.delete(id);
      for (const track of tracks) {
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }
      changed();
    },
    mute: (id) => send(id, "mute"),
    unmute: (id) => send(id, "unmute"),
    loudness: (id, gain) => {
      inputs.get(id).level.gain.value = gain;
    },
  };
})();
"""
"""Stands in for the machine's microphones, which hum. `isHeldBack`: the browser lets no sound out; `outputRate`: of the
loudspeaker. Contexts of different rates are not connected, as in Firefox."""

LENGTH = """
window.sounding = { first: null, last: null, pause: 0, rate: null };
const code = `
  registerProcessor("length", class extends AudioWorkletProcessor {
    constructor() {
      super();
      this.found = { first: null, last: null, pause: 0 };
    }
    process([[samples]]) {
      const { found } = this;
      samples?.forEach((value, index) => {
        if (Math.abs(value) < 1e-3) return;
        const now = currentFrame + index;
        found.first ??= now;
        found.pause = Math.max(found.pause, now - (found.last ?? now));
        found.last = now;
      });
      this.port.postMessage(found);
      return true;
    }
  });`;
const connectNode = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode && this instanceof AnalyserNode) {
    const { context } = this;
    context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(code)}`).then(() => {
      const tap = new AudioWorkletNode(context, "length");
      tap.port.onmessage = ({ data }) => Object.assign(window.sounding, data);
      connectNode.call(this, tap);
      connectNode.call(tap, target);
      window.sounding.rate = context.sampleRate;
    });
  }
  return connectNode.call(this, target, ...rest);
};
"""
"""Counts the samples from the first to the last that can be heard, once `sounding.rate` is known. It needs a page whose
policy is off."""


def sounded_s(page: Any) -> tuple[float, float]:
    """Seconds from the first sample that was heard to the last, and of the longest pause in between."""
    found = page.evaluate("sounding")
    return (found["last"] - found["first"] + 1) / found["rate"], found["pause"] / found["rate"]
