// The agent's sound on its way to the loudspeaker, and how far each answer was played.
//
// Used in the playback worklet, and in the page itself where the browser has no worklets (plain http).

import { Resampler } from "./resampler.js";

const FADE_S = 0.008; // where sound is cut off or goes on, so that it does not click
const FILLED_S = 0.1; // sound that is awaited before an answer begins and after a gap, so that it does not stutter
const AUDIBLE = 1e-3;
const PIECE = 1024;

export class PlaybackQueue {
  // sourceRate: of pushed sound; rate: of the sound that `fill` gives
  constructor(sourceRate, rate) {
    this.rate = rate;
    this.resampler = new Resampler(sourceRate, rate);
    this.fade = Math.max(1, Math.round(FADE_S * rate));
    this.pieces = []; // {id, samples} at the source's rate; {id, samples: null} ends an answer
    this.parts = []; // {id, samples, at} at the rate of the output
    this.ids = new Map(); // id -> {played, ended, audible, isCut}
    this.pushing = null;
    this.last = 0;
    this.clear();
  }

  clear() {
    this.held = false;
    this.gain = 1;
    this.target = 1;
    this.dropping = null; // the answers that are fading out
    this.filling = true; // nothing is played until there is enough; so whenever `parts` is empty
  }

  push(id, samples) {
    if (this.pushing !== null && this.pushing !== id) this.end(this.pushing);
    this.pushing = id;
    if (!this.ids.has(id)) this.ids.set(id, { played: 0, ended: false, audible: false });
    for (let at = 0; at < samples.length; at += PIECE) {
      this.pieces.push({ id, samples: samples.subarray(at, at + PIECE) });
    }
  }

  // Nothing more comes of this answer.
  end(id) {
    if (!this.ids.has(id)) return;
    if (this.pushing === id) this.pushing = null;
    this.pieces.push({ id, samples: null });
  }

  // Resample pieces until `count` samples can be played: a little at a time, since a block is due every 3 ms.
  feed(count) {
    if (this.dropping) return; // what is pushed meanwhile is of the next answer
    while (this.pieces.length && this.waiting() < count) {
      const { id, samples } = this.pieces.shift();
      const state = this.ids.get(id);
      if (state.ended) continue;
      const converted = samples === null ? this.resampler.flush() : this.resampler.push(samples);
      state.ended = samples === null;
      if (converted.length) this.parts.push({ id, samples: converted, at: 0 });
    }
  }

  waiting() {
    let count = 0;
    for (const part of this.parts) count += part.samples.length - part.at;
    return count;
  }

  hold() {
    this.held = true;
    this.target = 0;
  }

  resume() {
    this.held = false;
    this.target = 1;
  }

  // Play nothing more of what was pushed. What is on its way to the loudspeaker fades out.
  drop() {
    this.resampler.reset();
    this.pieces = [];
    this.pushing = null;
    this.dropping = [...this.ids.values()];
    this.target = 0;
    if (this.filling || this.gain === 0) this.dropped();
  }

  dropped() {
    this.parts = [];
    for (const state of this.dropping) state.ended = state.isCut = true;
    this.clear();
  }

  // Fill a block (Float32Array). Returns ids that became audible in it, in order.
  fill(block) {
    const audible = [];
    const slope = 1 / this.fade;
    this.feed(this.filling ? FILLED_S * this.rate : block.length);
    if (this.filling && (this.waiting() >= FILLED_S * this.rate || this.ids.get(this.parts[0]?.id)?.ended)) {
      this.filling = false;
    }
    let got = 0;
    while (got < block.length && this.parts.length && !this.filling) {
      if (this.gain === 0 && this.target === 0) break;
      const part = this.parts[0];
      const state = this.ids.get(part.id);
      while (got < block.length && part.at < part.samples.length) {
        if (this.gain !== this.target) {
          this.gain = this.target > this.gain ? Math.min(1, this.gain + slope) : Math.max(0, this.gain - slope);
          if (this.gain === 0 && this.target === 0) break;
        }
        const value = part.samples[part.at] * this.gain;
        part.at += 1;
        state.played += 1;
        if (!state.audible && Math.abs(value) > AUDIBLE) {
          state.audible = true;
          audible.push(part.id);
        }
        block[got] = value;
        got += 1;
      }
      if (part.at < part.samples.length) break;
      this.parts.shift();
      if (!this.parts.length) this.feed(block.length - got);
      if (!this.parts.length) this.filling = true;
    }
    // The sound ended at a value other than zero: fade from it instead of jumping.
    let tail = got ? block[got - 1] : this.last;
    const decay = Math.exp(-3 / this.fade);
    for (let i = got; i < block.length; i += 1) {
      tail = Math.abs(tail) > 1e-5 ? tail * decay : 0;
      block[i] = tail;
    }
    this.last = block.length ? block[block.length - 1] : this.last;
    if (this.dropping && (this.gain === 0 || this.filling)) this.dropped();
    return audible;
  }

  // Seconds played of each answer; those that were played to their end, or cut off by `drop`, are given once more and
  // forgotten.
  report() {
    const open = new Set([...this.parts, ...this.pieces].map((part) => part.id));
    const found = [];
    for (const [id, state] of this.ids) {
      const done = state.ended && !open.has(id);
      found.push({ id, played: state.played / this.rate, isCut: Boolean(state.isCut), done });
      if (done) this.ids.delete(id);
    }
    return found;
  }
}
