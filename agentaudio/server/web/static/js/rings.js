// The ring around the state: lines as long as the sound is loud at each frequency.

const LINES = 120;
const QUIET = 0.02;

export class Rings {
  // canvas: where to draw; source: () => {analyser, kind} of the sound to show, analyser null for none
  constructor(canvas, source) {
    this.canvas = canvas;
    this.source = source;
    this.pen = canvas.getContext("2d");
    this.levels = new Float32Array(LINES);
    this.state = "connecting";
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => this.resize()).observe(canvas);
    addEventListener("themechange", () => this.recolour());
    document.addEventListener("visibilitychange", () => this.wake());
    this.resize();
    this.recolour();
    this.wake();
  }

  show(state) {
    this.state = state;
    this.recolour();
    // Colours move with the style's transition.
    setTimeout(() => this.recolour(), 60);
    this.wake();
  }

  recolour() {
    const style = getComputedStyle(this.canvas);
    this.colour = style.getPropertyValue("--state");
    this.faint = style.getPropertyValue("--line-2");
    this.ink = this.resolved(this.colour);
    this.pale = this.resolved(this.faint);
    this.wake();
  }

  // A canvas cannot read light-dark(): let the browser resolve it.
  resolved(colour) {
    const probe = document.createElement("i");
    probe.style.color = colour;
    this.canvas.parentElement.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  resize() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    const size = Math.round(this.canvas.clientWidth * ratio);
    if (!size) return;
    this.canvas.width = this.canvas.height = size;
    this.wake();
  }

  wake() {
    if (this.frame || document.hidden) return;
    this.frame = requestAnimationFrame((now) => this.draw(now));
  }

  // Loudness by line, 0 to 1, low frequencies at the top and the same on both sides.
  measure() {
    const { analyser } = this.source();
    const wanted = new Float32Array(LINES);
    if (analyser) {
      this.bins ??= new Uint8Array(analyser.frequencyBinCount);
      analyser.getByteFrequencyData(this.bins);
      const half = LINES / 2;
      const most = Math.min(this.bins.length, 96); // speech lies in the lower part
      for (let i = 0; i < half; i += 1) {
        const at = Math.floor(1 + (most - 2) * (i / half) ** 1.6);
        const level = Math.max(0, this.bins[at] - 60) / 195;
        wanted[i] = wanted[LINES - 1 - i] = level ** 1.4;
      }
    }
    let moves = false;
    for (let i = 0; i < LINES; i += 1) {
      const pull = wanted[i] > this.levels[i] ? 0.55 : 0.12;
      this.levels[i] += (wanted[i] - this.levels[i]) * pull;
      if (this.levels[i] > QUIET) moves = true;
    }
    return moves || Boolean(analyser);
  }

  draw(now) {
    this.frame = null;
    const { pen, canvas } = this;
    const size = canvas.width;
    const centre = size / 2;
    const inner = size * 0.365;
    const reach = size * 0.115;
    const moves = this.measure();
    const turning = ["thinking", "connecting", "loading"].includes(this.state);
    const turn = this.still.matches ? 0 : (now / 2600) % 1;
    pen.clearRect(0, 0, size, size);
    pen.lineCap = "round";
    pen.lineWidth = Math.max(1.5, size / 210);
    for (let i = 0; i < LINES; i += 1) {
      const angle = (i / LINES) * 2 * Math.PI - Math.PI / 2 + Math.PI / LINES;
      let level = this.levels[i];
      let share = Math.min(1, level * 2.2);
      if (turning) {
        const behind = (turn - i / LINES + 1) % 1;
        const glow = this.still.matches ? 0.5 : Math.max(0, 1 - behind * 2.2) ** 1.5;
        level = Math.max(level, glow * 0.32);
        share = Math.max(share, glow);
      }
      const from = inner;
      const to = inner + size * 0.012 + reach * level;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      pen.globalAlpha = 1;
      pen.strokeStyle = share > 0.06 ? this.ink : this.pale;
      if (share > 0.06) pen.globalAlpha = 0.35 + 0.65 * share;
      pen.beginPath();
      pen.moveTo(centre + cos * from, centre + sin * from);
      pen.lineTo(centre + cos * to, centre + sin * to);
      pen.stroke();
    }
    pen.globalAlpha = 1;
    if (moves || (turning && !this.still.matches)) this.wake();
  }
}
