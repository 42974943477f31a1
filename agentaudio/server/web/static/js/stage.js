// The big state, the button in it, and the choice between hands-free and press-to-talk.

import { $, OWN_HUE, announce, hueOf, setIcon } from "./dom.js";
import { cardOf, voiceCard } from "./voice_card.js";

export const STATES = {
  connecting: "Connecting",
  loading: "Loading",
  ready: "Ready",
  listening: "Listening",
  thinking: "Thinking",
  held: "On hold",
  speaking: "Speaking",
  error: "Offline",
};

// handlers: press(), release(), tap(), mode(name), mute(), stop()
export class Stage {
  constructor(handlers, replay) {
    this.handlers = handlers;
    this.replay = replay;
    this.state = null;
    this.mode = "free";
    this.pressing = false;
    this.wireButton();
    this.wireModes();
    $("mute").addEventListener("click", () => handlers.mute());
    $("stop").addEventListener("click", () => handlers.stop());
    addEventListener("keydown", (event) => this.key(event, true));
    addEventListener("keyup", (event) => this.key(event, false));
    addEventListener("blur", () => this.up());
  }

  wireButton() {
    const talk = $("talk");
    talk.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.mode !== "press") return;
      talk.setPointerCapture(event.pointerId);
      this.down();
    });
    for (const name of ["pointerup", "pointercancel"]) talk.addEventListener(name, () => this.up());
    talk.addEventListener("contextmenu", (event) => this.mode === "press" && event.preventDefault());
    talk.addEventListener("click", (event) => {
      if (this.mode === "free") this.handlers.tap();
      // A screen reader's click has no press: the first begins, the second ends.
      else if (event.detail === 0 && this.pressing) this.up();
      else if (event.detail === 0) this.down();
    });
  }

  wireModes() {
    const modes = { free: $("mode-free"), press: $("mode-press") };
    for (const [mode, choice] of Object.entries(modes)) {
      choice.addEventListener("click", () => this.handlers.mode(mode));
      choice.addEventListener("keydown", (event) => {
        if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
        event.preventDefault();
        const other = mode === "free" ? "press" : "free";
        this.handlers.mode(other);
        modes[other].focus();
      });
    }
  }

  // The space bar talks wherever it has no other meaning.
  key(event, isDown) {
    const { target } = event;
    const isOwn = target === $("talk");
    if (event.key === "Escape" && isDown && !document.querySelector("dialog[open]")) {
      this.handlers.stop();
      return;
    }
    if (event.key !== " " && !(isOwn && event.key === "Enter")) return;
    if (!isOwn && target.closest?.("input, textarea, select, button, a, summary, dialog")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.mode === "free" && isOwn) return; // an ordinary button
    event.preventDefault();
    if (event.repeat) return;
    if (this.mode === "press") {
      if (isDown) this.down();
      else this.up();
    } else if (isDown) this.handlers.tap();
  }

  down() {
    if (this.pressing) return;
    this.pressing = true;
    $("talk").setAttribute("data-pressed", "");
    this.handlers.press();
  }

  up() {
    if (!this.pressing) return;
    this.pressing = false;
    $("talk").removeAttribute("data-pressed");
    this.handlers.release();
  }

  setMode(mode) {
    this.mode = mode;
    document.body.dataset.mode = mode;
    for (const [name, id] of [["free", "mode-free"], ["press", "mode-press"]]) {
      $(id).setAttribute("aria-checked", String(name === mode));
      $(id).tabIndex = name === mode ? 0 : -1;
    }
  }

  // action: what the button does; hint: the line below
  show(state, { action, hint, label, micOn, micIcon, muted, canStop }) {
    if (state !== this.state) {
      this.state = state;
      document.body.dataset.state = state;
      $("state-word").textContent = STATES[state];
      // While the agent speaks, a screen reader's own voice would speak over it.
      if (state !== "speaking" && state !== "connecting") announce(STATES[state]);
    }
    $("action").textContent = action;
    if ($("hint").textContent !== hint) $("hint").textContent = hint;
    $("talk").setAttribute("aria-label", `${STATES[state]}. ${label}`);
    setIcon($("talk"), micIcon);
    $("mute").hidden = !micOn;
    $("mute").setAttribute("aria-pressed", String(muted));
    setIcon($("mute"), muted ? "mic-off" : "mic");
    $("stop").hidden = !canStop;
  }

  showVoice(voice) {
    document.documentElement.style.setProperty("--hue-voice", voice ? hueOf(cardOf(voice).id) : OWN_HUE);
    $("voice-now").replaceChildren(...(voice ? [voiceCard(voice, { listen: this.replay })] : []));
    dispatchEvent(new Event("themechange"));
  }
}
