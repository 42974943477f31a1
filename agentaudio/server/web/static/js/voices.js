// The voice browser: search by words or by a clip, listen, choose.

import { getJson, request } from "./api.js";
import { $, announce, button, el } from "./dom.js";
import { LendForm } from "./lend.js";
import { Recorder } from "./recorder.js";
import { sheet } from "./settings.js";
import { cardOf, voiceCard } from "./voice_card.js";

const MOST = 24;
const TYPING_MS = 250;
const CLIP_S = 15;

export class VoiceBrowser {
  constructor({ replay, session }) {
    this.replay = replay;
    this.session = session;
    this.current = null;
    this.found = [];
    this.asked = 0;
    const { dialog, content } = sheet("voices", "Voices");
    this.dialog = dialog;
    this.words = el("input", { type: "search", id: "voice-words", placeholder: "a calm old man, a little girl, Walter …", "aria-label": "Search voices by words" });
    this.words.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.search(), TYPING_MS);
    });
    this.recorder = new Recorder({ label: "By speaking", most_s: CLIP_S, replay, changed: () => this.recorder?.blob && this.searchByClip(this.recorder.blob) });
    this.file = el("input", { type: "file", accept: "audio/*", class: "hidden", tabindex: "-1", "aria-label": "A sound file to search by" });
    this.file.addEventListener("change", () => this.file.files[0] && this.searchByClip(this.file.files[0]));
    const upload = button("By a file", { icon: "clip", class: "plain", onclick: () => this.file.click() });
    this.status = el("p", { class: "aside", role: "status" });
    this.grid = el("div", { class: "grid" });
    this.browse = el(
      "div",
      { class: "rows", role: "tabpanel", id: "panel-browse", "aria-labelledby": "tab-browse" },
      el("div", { class: "find" }, this.words, upload, this.file, this.recorder.element),
      this.status,
      this.grid,
    );
    this.lend = new LendForm({ replay, done: (voice) => this.added(voice) });
    this.lend.element.hidden = true;
    this.tabs(dialog, content);
    content.append(this.browse, this.lend.element);
    $("open-voices").addEventListener("click", () => this.open());
    dialog.addEventListener("close", () => {
      this.recorder.reset();
      this.lend.stop();
      this.replay.stop();
      this.session.setPaused(false);
    });
  }

  tabs(dialog, content) {
    const tab = (id, label, panel) =>
      el("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`, onclick: () => this.showTab(panel) }, label);
    this.tabBrowse = tab("browse", "Find a voice", "browse");
    this.tabLend = tab("lend", "Add your own", "lend");
    const bar = el("div", { class: "tabs", role: "tablist" }, this.tabBrowse, this.tabLend);
    bar.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      this.showTab(this.lend.element.hidden ? "lend" : "browse");
      (this.lend.element.hidden ? this.tabBrowse : this.tabLend).focus();
    });
    dialog.insertBefore(bar, content);
    this.showTab("browse");
  }

  showTab(name) {
    const isBrowse = name === "browse";
    for (const [tab, on] of [[this.tabBrowse, isBrowse], [this.tabLend, !isBrowse]]) {
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    this.browse.hidden = !isBrowse;
    this.lend.element.hidden = isBrowse;
    if (!isBrowse) this.lend.open();
  }

  open() {
    this.session.setPaused(true);
    this.dialog.showModal();
    this.words.focus();
    this.search();
  }

  async search() {
    const query = new URLSearchParams({ limit: MOST });
    if (this.words.value.trim()) query.set("q", this.words.value.trim());
    await this.show(() => getJson(`v1/audio/voices?${query}`));
  }

  async searchByClip(blob) {
    const form = new FormData();
    form.set("audio", blob, blob.name ?? "clip.wav");
    this.words.value = "";
    form.set("limit", String(MOST));
    await this.show(async () => (await request("v1/audio/voices/search", { method: "POST", body: form })).json());
  }

  // Answers may overtake each other: only the latest question counts.
  async show(ask) {
    this.asked += 1;
    const number = this.asked;
    this.status.textContent = "Searching …";
    try {
      const answer = await ask();
      if (number !== this.asked) return;
      this.found = answer.data ?? answer.voices ?? [];
      this.status.textContent = "";
      this.draw();
      announce(this.found.length === 1 ? "1 voice" : `${this.found.length} voices`);
    } catch (error) {
      if (number !== this.asked) return;
      this.status.textContent = error.message;
      this.grid.replaceChildren();
    }
  }

  draw() {
    const now = this.current ? cardOf(this.current).id : null;
    const cards = this.found.map((voice) => {
      const card = cardOf(voice);
      return voiceCard(voice, {
        listen: this.replay,
        use: () => this.use(card.id),
        takeBack: () => this.takeBack(card),
        isCurrent: card.id === now,
      });
    });
    if (now) cards.unshift(voiceCard(null, { use: () => this.use("default"), label: "Use" }));
    this.grid.replaceChildren(...cards);
    if (!cards.length) this.grid.append(el("p", { class: "empty" }, "No voice fits. Try other words, or add your own."));
  }

  use(id) {
    this.session.setVoice(id);
    this.dialog.close();
  }

  added(voice) {
    this.words.value = "";
    this.showTab("browse");
    this.search();
    announce(`${cardOf(voice).name} was added.`);
  }

  // Delete a voice, with the recording of its consent where no other voice needs it.
  async takeBack(card) {
    try {
      await request(`v1/audio/voices/${encodeURIComponent(card.id)}`, { method: "DELETE" });
    } catch (error) {
      this.status.textContent = error.message;
      return;
    }
    if (this.current && cardOf(this.current).id === card.id) this.session.setVoice("default");
    announce(`${card.name} was deleted.`);
    await this.search();
  }

  showCurrent(voice) {
    this.current = voice;
    if (this.dialog.open) this.draw();
  }
}
