// Plays one thing at a time: what was said, or the recording of a voice.

import { request } from "./api.js";

export class Replay extends EventTarget {
  constructor() {
    super();
    this.audio = new Audio();
    this.key = null;
    this.show = null;
    this.url = null;
    this.audio.addEventListener("ended", () => this.stop());
    this.audio.addEventListener("error", () => this.key && this.stop());
  }

  get isOn() {
    return this.key !== null;
  }

  // key: what is played; load: gives its Blob; show: called with true and false as it begins and ends
  async toggle(key, load, show) {
    const same = this.key === key;
    this.stop();
    if (same) return;
    this.key = key;
    this.show = show;
    show(true);
    this.dispatchEvent(new Event("change"));
    try {
      const blob = await load();
      if (this.key !== key) return;
      this.url = URL.createObjectURL(blob);
      this.audio.src = this.url;
      await this.audio.play();
    } catch (error) {
      if (this.key === key) this.stop();
      if (error.name !== "AbortError") this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    }
  }

  stop() {
    if (this.key === null) return;
    const { show } = this;
    this.key = this.show = null;
    this.audio.pause();
    this.audio.removeAttribute("src");
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    show?.(false);
    this.dispatchEvent(new Event("change"));
  }

  // The recording of a voice of the library.
  async sample(id) {
    const response = await request(`v1/audio/voices/${encodeURIComponent(id)}/sample`);
    return response.blob();
  }
}
