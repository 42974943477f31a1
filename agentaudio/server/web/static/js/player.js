// Plays the agent's sound and says how much of each answer was played.

import { audioContext, hasWorklets, loadWorklet, resume } from "./audio_context.js";
import { RATE, toFloats } from "./sound.js";

const HELD_BACK_MS = 250;

// Events: "played" {id, seconds, done, isCut}; "audible" {id}; "suspended" and "running".
export class Player extends EventTarget {
  constructor() {
    super();
    this.node = null;
    this.starting = null;
    this.analyser = null;
    this.early = [];
    this.busy = new Set(); // answers that are not played to their end
    this.isHeldBack = false;
  }

  // Call it in a click or a key press, which lets the sound out.
  start() {
    this.prepare();
    return audioContext().state === "running" || resume();
  }

  // While the server is away its worklet cannot be loaded: then the next call tries again.
  prepare() {
    this.starting ??= this.build().catch(() => {
      this.starting = null;
    });
  }

  async build() {
    const context = audioContext();
    const node = hasWorklets() ? await this.worklet(context) : await this.processor(context);
    this.analyser = new AnalyserNode(context, { fftSize: 512, smoothingTimeConstant: 0.7 });
    this.analyser.connect(context.destination);
    context.addEventListener("statechange", () => this.check());
    node.connect(this.analyser);
    this.tell = node.tell;
    this.node = node;
    for (const message of this.early.splice(0)) this.tell(message);
  }

  async worklet(context) {
    await loadWorklet("playback");
    const node = new AudioWorkletNode(context, "agentaudio-playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { sourceRate: RATE },
    });
    node.port.onmessage = ({ data }) => this.report(data.audible, data.played);
    node.tell = (message) => node.port.postMessage(message);
    return node;
  }

  // A page from http has no worklets. Its older stand-in runs in the page itself.
  async processor(context) {
    const { PlaybackQueue } = await import("../worklets/playback_queue.js");
    const queue = new PlaybackQueue(RATE, context.sampleRate);
    const node = context.createScriptProcessor(2048, 0, 1);
    node.onaudioprocess = ({ outputBuffer }) => {
      const audible = queue.fill(outputBuffer.getChannelData(0));
      const played = queue.report();
      if (played.length) this.report(audible, played);
    };
    node.tell = ({ do: verb, id, samples }) => queue[verb](...(verb === "push" ? [id, samples] : [id]));
    return node;
  }

  command(message) {
    if (this.node) this.tell(message);
    else this.early.push(message);
  }

  // pcm: Int16Array at 24 kHz
  push(id, pcm) {
    this.prepare();
    this.busy.add(id);
    this.command({ do: "push", id, samples: toFloats(pcm) });
    if (!this.isHeldBack && audioContext().state !== "running") {
      setTimeout(() => this.check(), HELD_BACK_MS);
    }
  }

  end(id) {
    this.command({ do: "end", id });
  }

  hold() {
    this.command({ do: "hold" });
  }

  resume() {
    this.command({ do: "resume" });
  }

  drop() {
    this.early = [];
    this.command({ do: "drop" });
    if (audioContext().state !== "running") this.forget();
  }

  // A context that stands still makes no report: nothing of what was dropped was heard.
  forget() {
    for (const id of [...this.busy]) this.finish(id, 0, true);
  }

  report(audible, played) {
    const context = audioContext();
    const latency = context.outputLatency || context.baseLatency || 0;
    for (const id of audible) this.emit("audible", { id });
    for (const { id, played: seconds, done, isCut } of played) {
      if (done) this.finish(id, isCut ? Math.max(0, seconds - latency) : seconds, isCut);
      else this.emit("played", { id, seconds: Math.max(0, seconds - latency), done: false, isCut: false });
    }
  }

  finish(id, seconds, isCut) {
    if (!this.busy.delete(id)) return;
    this.emit("played", { id, seconds, done: true, isCut });
    this.check();
  }

  check() {
    const held = this.busy.size > 0 && audioContext().state !== "running";
    if (held === this.isHeldBack) return;
    this.isHeldBack = held;
    this.emit(held ? "suspended" : "running", {});
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
