// The microphone as frames of 20 ms, 24 kHz, 16-bit, one channel, from whatever rate and channels the device has.

import { Resampler } from "./resampler.js";

const RATE = 24000;
const FRAME = RATE / 50;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(sampleRate, RATE);
    this.frame = new Int16Array(FRAME);
    this.got = 0;
    this.peak = 0;
    this.zeros = 0; // input samples that were exactly zero, in a row
    this.stopped = false;
    this.port.onmessage = () => {
      this.stopped = true;
    };
  }

  process(inputs) {
    const channels = inputs[0];
    if (!channels.length) return !this.stopped;
    let mono = channels[0];
    if (channels.length > 1) {
      mono = new Float32Array(mono.length);
      for (const channel of channels) for (let i = 0; i < mono.length; i += 1) mono[i] += channel[i] / channels.length;
    }
    for (const value of mono) this.zeros = value === 0 ? this.zeros + 1 : 0;
    for (const value of this.resampler.push(mono)) {
      const limited = Math.max(-1, Math.min(1, value));
      this.peak = Math.max(this.peak, Math.abs(limited));
      this.frame[this.got] = Math.round(limited * 32767);
      this.got += 1;
      if (this.got === FRAME) this.send();
    }
    return !this.stopped;
  }

  send() {
    const message = { pcm: this.frame, peak: this.peak, zeros: this.zeros / sampleRate };
    this.port.postMessage(message, [this.frame.buffer]);
    this.frame = new Int16Array(FRAME);
    this.got = 0;
    this.peak = 0;
  }
}

registerProcessor("agentaudio-capture", Capture);
