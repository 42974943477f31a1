// Devices, the API key, and what to show.

import { storeKey, storedKey } from "./api.js";
import { audioContext } from "./audio_context.js";
import { $, button, el } from "./dom.js";

export function sheet(id, title) {
  const dialog = $(id);
  const close = button("", { icon: "close", class: "square", "aria-label": "Close", onclick: () => dialog.close() });
  const content = el("div", { class: "content" });
  dialog.append(el("header", {}, el("h2", { id: `${id}-title` }, title), close), content);
  // A click beside the sheet closes it.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return { dialog, content };
}

export class Settings {
  constructor(microphone, { changedKey }) {
    this.microphone = microphone;
    const { dialog, content } = sheet("settings", "Settings");
    this.input = el("select", { id: "input-device" });
    this.output = el("select", { id: "output-device" });
    this.note = el("p", { class: "field" }, el("small", {}));
    this.input.addEventListener("change", () => microphone.choose(this.input.value));
    this.output.addEventListener("change", () => audioContext().setSinkId(this.output.value));
    this.outputField = el("div", { class: "field" }, el("label", { for: "output-device" }, "Loudspeaker"), this.output);
    const forget = button("Forget the API key", {
      class: "plain",
      onclick: () => {
        storeKey(null);
        forget.hidden = true;
        changedKey();
      },
    });
    this.forget = forget;
    content.append(
      el("div", { class: "field" }, el("label", { for: "input-device" }, "Microphone"), this.input, this.note),
      this.outputField,
      el(
        "div",
        { class: "field" },
        el("span", {}, "Keyboard"),
        el("p", { class: "keys" }, el("kbd", {}, "Space"), " talks (hold it in press-to-talk), ", el("kbd", {}, "Esc"), " stops the answer, ", el("kbd", {}, "Enter"), " sends what you wrote."),
      ),
      el("div", { class: "field" }, forget),
    );
    $("open-settings").addEventListener("click", () => {
      forget.hidden = !storedKey();
      this.fill();
      dialog.showModal();
    });
    microphone.addEventListener("devices", () => this.fill());
  }

  async fill() {
    const devices = await this.microphone.devices();
    const option = (device, number) =>
      el("option", { value: device.deviceId === "default" ? "" : device.deviceId }, device.label || `Device ${number + 1}`);
    const of = (kind) => devices.filter((device) => device.kind === kind && device.deviceId !== "default");
    const system = () => el("option", { value: "" }, "The system’s choice");
    const inputs = of("audioinput");
    this.input.replaceChildren(system(), ...inputs.map(option));
    this.input.value = this.microphone.wanted;
    this.note.firstChild.textContent = inputs.length ? "" : "Devices are listed once the microphone is allowed.";
    this.note.hidden = inputs.length > 0;
    const outputs = of("audiooutput");
    this.outputField.hidden = !outputs.length || typeof AudioContext.prototype.setSinkId !== "function";
    const chosen = this.output.value;
    this.output.replaceChildren(system(), ...outputs.map(option));
    this.output.value = chosen;
  }
}

// Asks for the key that the server wants. given: called when one was stored
export class KeyDialog {
  constructor(given) {
    const { dialog, content } = sheet("key", "API key");
    this.dialog = dialog;
    this.reason = el("p", { class: "aside" });
    this.field = el("input", { type: "password", id: "api-key", autocomplete: "off", required: true, spellcheck: "false" });
    const form = el(
      "form",
      { class: "rows" },
      this.reason,
      el("div", { class: "field" }, el("label", { for: "api-key" }, "Key"), this.field, el("small", {}, "It stays in this tab and is forgotten when you close it.")),
      el("button", { type: "submit", class: "strong" }, "Connect"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.field.value.trim()) return;
      storeKey(this.field.value.trim());
      this.field.value = "";
      dialog.close();
      given();
    });
    content.append(form);
  }

  ask() {
    if (this.dialog.open) return;
    this.reason.textContent = storedKey()
      ? "The server does not accept this key. Try another one."
      : "This server answers only those who have a key.";
    this.dialog.showModal();
    this.field.focus();
  }
}
