// Where the time between the user's last word and the first sound of the answer went.

export class Latency {
  // from: "speech" or "sent"; ago_s: how long ago that was
  constructor(from, ago_s = 0) {
    this.from = from;
    this.began = performance.now() - ago_s * 1000;
    this.marks = [];
    this.isWhole = false;
  }

  // A stage ends now. once: only its first end counts, otherwise the latest; last: nothing comes after it
  mark(stage, { once = false, last = false } = {}) {
    if (this.isWhole) return;
    const at_s = (performance.now() - this.began) / 1000;
    const known = this.marks.find((mark) => mark.stage === stage);
    if (known && once) return;
    if (known) this.marks = this.marks.filter((mark) => mark !== known);
    this.marks.push({ stage, at_s });
    this.isWhole = last;
  }

  // [{stage, from_s, to_s}] in the order in which they ended
  get stages() {
    let from_s = 0;
    return this.marks.map(({ stage, at_s }) => {
      const one = { stage, from_s, to_s: at_s };
      from_s = at_s;
      return one;
    });
  }

  get total_s() {
    return this.marks.at(-1)?.at_s ?? 0;
  }
}
