// The microphone: frames of sound, and words for everything that can go wrong with it.

import { audioContext, hasWorklets, loadWorklet, resume } from "./audio_context.js";

const ZEROS_S = 5;
const CHECK_MS = 500;
const LOST_MS = 1500; // without a frame

export const PROBLEMS = {
  insecure: {
    title: "No microphone at this address",
    help: () =>
      `Browsers offer a microphone only to pages at https: or localhost, and this page is at ${location.origin}. ` +
      "Open it at localhost on the machine of the server, serve it with a certificate (--tls-cert and --tls-key), " +
      "or use a tunnel such as “ssh -L 8000:localhost:8000”. You can type here, and the answers are spoken.",
  },
  refused: {
    title: "The microphone was refused",
    help: () =>
      "Allow it in the browser’s settings for this page, mostly behind the icon beside the address, and try again. " +
      "Until then you can type.",
  },
  missing: {
    title: "No microphone was found",
    help: () => "Connect one, and try again. Until then you can type.",
  },
  busy: {
    title: "The microphone is in use",
    help: () => "Another program or page holds it. Close that one, or choose another device in the settings.",
  },
  gone: {
    title: "The microphone is gone",
    help: () => "It was unplugged, or another program took it. Listening goes on when one can be used again.",
  },
  muted: {
    title: "The microphone is muted",
    help: () => "The system or a switch on the device mutes it. Listening goes on when it is unmuted.",
  },
  zeros: {
    title: "The microphone sends nothing",
    help: () =>
      "For five seconds every sample was zero. A switch on the device or the system’s settings may mute it; " +
      "or choose another device in the settings.",
  },
  failed: {
    title: "The microphone does not work",
    help: () => "The browser gave no reason. Choose another device in the settings, or type.",
  },
};

export function problemOf(error) {
  switch (error?.name) {
    case "InsecureError":
      return "insecure";
    case "NotAllowedError":
    case "SecurityError":
      return "refused";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "failed";
  }
}

// Events: "frame" {pcm: Int16Array of 20 ms at 24 kHz, peak}; "state" {state: off, starting, on or lost};
// "problem" {kind} with a key of PROBLEMS, or null when it is over; "devices".
export class Microphone extends EventTarget {
  constructor() {
    super();
    this.state = "off";
    this.problem = null;
    this.wanted = ""; // the device that the user chose; "" is the system's own
    this.device = null;
    this.analyser = null;
    this.busy = false;
    navigator.mediaDevices?.addEventListener("devicechange", () => this.devicesChanged());
  }

  // Starts in a click. Returns whether sound comes.
  async start() {
    this.set("starting");
    const works = await this.open();
    if (!works) this.set("off");
    return works;
  }

  stop() {
    this.set("off");
    this.tell(null);
    this.release();
  }

  async choose(deviceId) {
    this.wanted = deviceId;
    if (this.state === "on" || this.state === "lost") await this.open();
  }

  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return all.filter((device) => device.deviceId && device.deviceId !== "communications");
  }

  async open() {
    if (this.busy) return false;
    this.busy = true;
    try {
      if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia || !hasWorklets()) {
        throw new DOMException("", "InsecureError");
      }
      await resume();
      const stream = await this.stream();
      this.release();
      await this.connect(stream);
      if (this.state === "off") {
        this.release();
        return false;
      }
      this.tell(null);
      this.set("on");
      this.dispatchEvent(new CustomEvent("devices"));
      const { track } = this.parts;
      if (track.readyState === "ended") this.lost("gone", track); // it was unplugged meanwhile
      return true;
    } catch (error) {
      this.tell(this.state === "lost" ? (this.problem ?? "gone") : problemOf(error));
      return false;
    } finally {
      this.busy = false;
    }
  }

  async stream() {
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    if (this.wanted) {
      try {
        return await navigator.mediaDevices.getUserMedia({ audio: { ...audio, deviceId: { exact: this.wanted } } });
      } catch (error) {
        if (error.name === "NotAllowedError") throw error;
        // The chosen device is away: another is better than none. It is taken again when it returns.
      }
    }
    return navigator.mediaDevices.getUserMedia({ audio });
  }

  async connect(stream) {
    const [track] = stream.getAudioTracks();
    let context = audioContext();
    let source;
    try {
      source = context.createMediaStreamSource(stream);
    } catch {
      // This browser connects no devices of different rates: the microphone gets a context of its own.
      context = new AudioContext({ sampleRate: track.getSettings().sampleRate });
      this.ownContext = context;
      source = context.createMediaStreamSource(stream);
    }
    await loadWorklet("capture", context);
    const node = new AudioWorkletNode(context, "agentaudio-capture", { numberOfOutputs: 1 });
    node.port.onmessage = ({ data }) => this.frame(data);
    const mute = new GainNode(context, { gain: 0 }); // a node that leads nowhere may not be run
    this.analyser = new AnalyserNode(context, { fftSize: 512, smoothingTimeConstant: 0.7 });
    source.connect(this.analyser);
    source.connect(node).connect(mute).connect(context.destination);
    this.parts = { stream, track, source, node, mute };
    this.device = track.getSettings().deviceId ?? null;
    track.addEventListener("ended", () => this.lost("gone", track));
    track.addEventListener("mute", () => this.lost("muted", track));
    track.addEventListener("unmute", () => {
      if (this.parts?.track === track && this.state === "lost") {
        this.tell(null);
        this.set("on");
      }
    });
    this.lastFrame = performance.now();
    this.timer = setInterval(() => this.watch(), CHECK_MS);
  }

  release() {
    clearInterval(this.timer);
    if (this.parts) {
      const { stream, source, node, mute } = this.parts;
      node.port.onmessage = null;
      node.port.postMessage("stop");
      for (const one of [source, node, mute]) one.disconnect();
      for (const track of stream.getTracks()) track.stop();
    }
    this.ownContext?.close();
    this.ownContext = this.parts = this.analyser = null;
  }

  frame({ pcm, peak, zeros }) {
    this.lastFrame = performance.now();
    if (this.state !== "on") return;
    if (zeros >= ZEROS_S && this.problem === null) this.tell("zeros");
    else if (zeros === 0 && this.problem === "zeros") this.tell(null);
    this.dispatchEvent(new CustomEvent("frame", { detail: { pcm, peak } }));
  }

  // The microphone stopped: say so, and try another.
  async lost(kind, track) {
    if (this.parts?.track !== track || this.state !== "on") return;
    this.set("lost");
    this.tell(kind);
    await this.retry();
  }

  async retry() {
    if (this.state !== "lost" || this.busy) return;
    const muted = this.problem === "muted" ? this.device : null;
    const inputs = (await this.devices()).filter((device) => device.kind === "audioinput");
    // A muted device that is the only one comes back by itself: opening it again would not help.
    if (muted && !inputs.some((device) => device.deviceId !== muted && device.deviceId !== "default")) return;
    const wanted = this.wanted;
    if (muted) this.wanted = inputs.find(({ deviceId }) => deviceId !== muted && deviceId !== "default").deviceId;
    try {
      await this.open();
    } finally {
      this.wanted = wanted;
    }
  }

  async watch() {
    if (this.state === "lost") {
      await this.retry();
    } else if (this.state === "on" && performance.now() - this.lastFrame > LOST_MS) {
      if (audioContext().state === "running") await this.lost("gone", this.parts?.track);
    }
  }

  async devicesChanged() {
    this.dispatchEvent(new CustomEvent("devices"));
    if (this.state === "lost") {
      await this.retry();
    } else if (this.state === "on" && this.wanted && this.device !== this.wanted) {
      const back = (await this.devices()).some(({ deviceId }) => deviceId === this.wanted);
      if (back) await this.open();
    } else if (this.state === "off" && this.problem === "missing") {
      this.tell(null);
    }
  }

  set(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state } }));
  }

  tell(kind) {
    if (kind === this.problem) return;
    this.problem = kind;
    this.dispatchEvent(new CustomEvent("problem", { detail: { kind } }));
  }
}
