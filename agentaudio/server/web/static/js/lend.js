// Add your own voice: the consent is spoken, transcribed and kept with the voice.

import { getJson, request } from "./api.js";
import { button, el } from "./dom.js";
import { Recorder } from "./recorder.js";
import { voiceCard } from "./voice_card.js";

const CONSENT_S = 20;
const SAMPLE_S = 30;

export class LendForm {
  // done: called with the new voice
  constructor({ replay, done }) {
    this.replay = replay;
    this.done = done;
    this.name = el("input", { type: "text", id: "lend-name", maxlength: "100", required: true, autocomplete: "name" });
    this.language = el("select", { id: "lend-language" });
    this.language.addEventListener("change", () => this.sentenceOf(this.language.value));
    this.sentence = el("blockquote", { class: "sentence" });
    const changed = () => this.check();
    // A recording and a file take each other's place: the later one counts.
    const recorded = () => {
      if (this.sample?.blob) this.file.value = "";
      this.check();
    };
    this.consent = new Recorder({ label: "Record the sentence", most_s: CONSENT_S, replay, changed });
    this.sample = new Recorder({ label: "Record a sample", most_s: SAMPLE_S, replay, changed: recorded });
    this.file = el("input", { type: "file", accept: "audio/*", class: "hidden", tabindex: "-1", "aria-label": "A sound file with your voice" });
    this.file.addEventListener("change", () => this.sample.reset());
    this.fileName = el("span", { class: "aside" });
    this.about = el("textarea", { id: "lend-about", maxlength: "1000", placeholder: "a warm, low voice, unhurried" });
    this.outcome = el("div", { class: "outcome", role: "status" });
    this.outcome.hidden = true;
    this.submit = el("button", { type: "submit", class: "strong" }, "Add my voice");
    const steps = [
      el(
        "li",
        { class: "step" },
        el("h3", {}, "Who are you?"),
        el(
          "div",
          { class: "pair" },
          el("div", { class: "field" }, el("label", { for: "lend-name" }, "Your name"), this.name),
          el("div", { class: "field" }, el("label", { for: "lend-language" }, "Your language"), this.language),
        ),
      ),
      el(
        "li",
        { class: "step" },
        el("h3", {}, "Give your consent, aloud"),
        el("p", {}, "Read this sentence. The recording is transcribed, compared with your voice, and kept with it; you can take the voice back at any time."),
        this.sentence,
        this.consent.element,
      ),
      el(
        "li",
        { class: "step" },
        el("h3", {}, "Speak for ten seconds"),
        el("p", {}, "Say anything in your usual tone, in a quiet room: what you see from your window, for example."),
        this.sample.element,
        el("div", { class: "recorder" }, button("Use a file instead", { icon: "clip", class: "quiet", onclick: () => this.file.click() }), this.file, this.fileName),
        el("div", { class: "field" }, el("label", { for: "lend-about" }, "What it sounds like"), this.about, el("small", {}, "Optional. It helps others find the voice by words.")),
      ),
    ];
    this.form = el("form", { class: "rows" }, el("ol", { class: "steps" }, ...steps), this.outcome, el("div", {}, this.submit));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.name.addEventListener("input", changed);
    this.element = el("div", { role: "tabpanel", id: "panel-lend", "aria-labelledby": "tab-lend" }, this.form);
    this.check();
  }

  async open() {
    if (this.language.childElementCount) return;
    try {
      const { sentences, problem } = await getJson("v1/audio/voice_consent_sentences");
      if (problem) {
        this.form.hidden = true;
        this.element.append(el("p", { class: "empty" }, `A voice cannot be added here: ${problem}.`));
      }
      this.sentences = new Map(Object.entries(sentences));
      const languages = [...this.sentences.keys()];
      const names = new Intl.DisplayNames([navigator.language, "en"], { type: "language" });
      this.language.replaceChildren(...languages.map((language) => el("option", { value: language }, nameOf(names, language))));
      const mine = navigator.language.split("-")[0];
      this.language.value = this.sentences.has(navigator.language) ? navigator.language : this.sentences.has(mine) ? mine : languages[0];
      this.sentenceOf(this.language.value);
    } catch (error) {
      this.say(error.message, true);
    }
  }

  sentenceOf(language) {
    this.sentence.textContent = this.sentences?.get(language) ?? "";
    this.sentence.lang = language;
    this.consent.reset();
  }

  stop() {
    this.consent.reset();
    this.sample.reset();
  }

  check() {
    const file = this.file?.files?.[0];
    if (this.fileName) this.fileName.textContent = file ? file.name : "";
    const ready = this.name.value.trim() && this.consent?.blob && (this.sample?.blob || file);
    if (this.submit) this.submit.disabled = !ready || this.isBusy;
  }

  say(text, isBad) {
    this.outcome.textContent = text;
    this.outcome.classList.toggle("bad", isBad);
    this.outcome.hidden = !text;
  }

  async send() {
    this.isBusy = true;
    this.check();
    this.say("Listening to the consent …", false);
    try {
      const consent = new FormData();
      consent.set("name", this.name.value.trim());
      consent.set("language", this.language.value);
      consent.set("recording", this.consent.blob, "consent.wav");
      const kept = await (await request("v1/audio/voice_consents", { method: "POST", body: consent })).json();
      this.say("Preparing the voice …", false);
      const file = this.file.files[0];
      const voice = new FormData();
      voice.set("name", this.name.value.trim());
      voice.set("consent", kept.id);
      if (this.about.value.trim()) voice.set("speaker_description", this.about.value.trim());
      voice.set("audio_sample", file ?? this.sample.blob, file?.name ?? "sample.wav");
      const made = await (await request("v1/audio/voices", { method: "POST", body: voice })).json();
      this.say("", false);
      const heard = kept.transcript && el("p", {}, `Heard as your consent: “${kept.transcript}”`);
      this.outcome.replaceChildren(...[heard, voiceCard(made, { listen: this.replay })].filter(Boolean));
      this.outcome.hidden = false;
      this.stop();
      this.file.value = "";
      this.done(made);
    } catch (error) {
      this.say(error.message, true);
    } finally {
      this.isBusy = false;
      this.check();
    }
  }
}

function nameOf(names, language) {
  try {
    return names.of(language);
  } catch {
    return language;
  }
}
