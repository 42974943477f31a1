// Records a few seconds for a form: begin, end, listen, record again.

import { button, el, seconds, setIcon } from "./dom.js";
import { Microphone, PROBLEMS } from "./microphone.js";
import { join, wav } from "./sound.js";

const RATE = 24000;

export class Recorder {
  // label: of the button that begins; most_s: recording ends by itself; changed: called when a recording is there or gone
  constructor({ label, most_s, replay, changed = () => {} }) {
    this.most_s = most_s;
    this.label = label;
    this.changed = changed;
    this.blob = null;
    this.microphone = new Microphone();
    this.parts = [];
    this.toggle = button(label, { icon: "mic", class: "plain", onclick: () => this.press() });
    this.level = el("i");
    this.time = el("span", { class: "aside", "aria-live": "off" });
    this.play = button("Listen", { icon: "play", class: "quiet" });
    this.play.hidden = true;
    this.play.addEventListener("click", () =>
      replay.toggle(this, async () => this.blob, (on) => setIcon(this.play, on ? "pause" : "play")),
    );
    this.problem = el("p", { class: "failure", role: "alert" });
    this.element = el(
      "div",
      { class: "recorder" },
      this.toggle,
      el("div", { class: "level", "aria-hidden": "true" }, this.level),
      this.time,
      this.play,
      this.problem,
    );
    this.microphone.addEventListener("frame", ({ detail }) => this.frame(detail));
    this.microphone.addEventListener("problem", ({ detail }) => {
      const problem = detail.kind && PROBLEMS[detail.kind];
      this.problem.textContent = problem ? `${problem.title}. ${problem.help()}` : "";
    });
  }

  get isRecording() {
    return this.microphone.state === "on";
  }

  async press() {
    if (this.isRecording) {
      this.end();
      return;
    }
    this.reset();
    if (await this.microphone.start()) {
      this.element.dataset.recording = "";
      this.toggle.querySelector("span").textContent = "Stop";
      setIcon(this.toggle, "stop");
    }
  }

  frame({ pcm, peak }) {
    this.parts.push(pcm);
    const time_s = (this.parts.length * pcm.length) / RATE;
    this.level.style.setProperty("--level", `${Math.min(100, Math.round(Math.sqrt(peak) * 100))}%`);
    this.time.textContent = seconds(time_s);
    if (time_s >= this.most_s) this.end();
  }

  end() {
    this.microphone.stop();
    delete this.element.dataset.recording;
    this.toggle.querySelector("span").textContent = "Record again";
    setIcon(this.toggle, "mic");
    this.level.style.setProperty("--level", "0%");
    this.blob = wav(join(this.parts));
    this.play.hidden = false;
    this.changed();
  }

  reset() {
    if (this.isRecording) this.microphone.stop();
    delete this.element.dataset.recording;
    this.toggle.querySelector("span").textContent = this.label;
    setIcon(this.toggle, "mic");
    this.parts = [];
    this.blob = null;
    this.time.textContent = "";
    this.play.hidden = true;
    this.changed();
  }
}
