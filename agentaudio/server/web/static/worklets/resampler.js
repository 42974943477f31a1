// Convert a stream of samples from one rate to another by a windowed sinc.
//
// 16 zero crossings on each side and a Kaiser window (beta 9) keep aliases about 90 dB below the signal. The window is
// tabulated and interpolated linearly, so that any two rates work.
// Source of the method: J. O. Smith, "Digital Audio Resampling Home Page", 2002.

const CROSSINGS = 16;
const STEPS = 512; // entries of the table from one zero crossing to the next
const BETA = 9;

function bessel0(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

let table = null;

function filterTable() {
  if (table) return table;
  table = new Float32Array(CROSSINGS * STEPS + 2);
  for (let i = 0; i <= CROSSINGS * STEPS; i += 1) {
    const x = i / STEPS;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    const edge = x / CROSSINGS;
    table[i] = (sinc * bessel0(BETA * Math.sqrt(Math.max(0, 1 - edge * edge)))) / bessel0(BETA);
  }
  return table;
}

export class Resampler {
  // from, to: rates in Hz. Output starts with the first input sample: the delay is in when it comes, not in its content.
  constructor(from, to) {
    this.from = Math.round(from);
    this.to = Math.round(to);
    this.scale = Math.min(1, this.to / this.from) * (this.to === this.from ? 1 : 0.95);
    this.reach = Math.ceil(CROSSINGS / this.scale); // input samples on each side of an output sample
    this.reset();
  }

  reset() {
    this.kept = new Float32Array(this.reach); // silence before the first sample
    this.index = this.reach; // of the input sample at or before the next output sample
    this.phase = 0; // how far the output sample lies behind it, in 1/to of an input sample
  }

  // samples: Float32Array; returns: Float32Array with what can be computed so far
  push(samples) {
    if (this.from === this.to) return samples;
    const input = new Float32Array(this.kept.length + samples.length);
    input.set(this.kept);
    input.set(samples, this.kept.length);
    const count = Math.max(0, Math.ceil(((input.length - this.reach - this.index) * this.to - this.phase) / this.from));
    const output = new Float32Array(count);
    const filter = filterTable();
    const step = this.scale * STEPS;
    const last = CROSSINGS * STEPS;
    let done = 0;
    while (this.index + this.reach < input.length && done < count) {
      const offset = this.phase / this.to;
      let sum = 0;
      for (let k = -this.reach + 1; k <= this.reach; k += 1) {
        const at = Math.abs(k - offset) * step;
        if (at < last) {
          const cell = at | 0;
          const weight = filter[cell] + (at - cell) * (filter[cell + 1] - filter[cell]);
          sum += input[this.index + k] * weight;
        }
      }
      output[done] = sum * this.scale;
      done += 1;
      this.phase += this.from;
      const whole = Math.floor(this.phase / this.to);
      this.index += whole;
      this.phase -= whole * this.to;
    }
    const drop = Math.min(input.length, Math.max(0, this.index - this.reach));
    this.kept = input.slice(drop);
    this.index -= drop;
    return done === count ? output : output.subarray(0, done);
  }

  // The samples that still wait for what follows them, as if silence followed. Starts anew afterwards.
  flush() {
    const tail = this.push(new Float32Array(this.from === this.to ? 0 : this.reach));
    this.reset();
    return tail;
  }
}
