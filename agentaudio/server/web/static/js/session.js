// One spoken session: the connection, the conversation, the microphone and the player, held together.

import { RealtimeClient } from "./client.js";
import { Conversation } from "./conversation.js";
import { Microphone } from "./microphone.js";
import { Player } from "./player.js";
import { Readiness } from "./readiness.js";
import { join, toBase64 } from "./sound.js";

const FRAME_S = 0.02;
const KEPT_FRAMES = 6000; // two minutes of the user's sound, for replay
const REPORT_MS = 100;
const REPLAYED = 200; // messages given to the server after a lost connection

let ids = 0;
const newId = (kind) => `${kind}_page${Date.now().toString(36)}${(ids += 1)}`;

// Events: "change" when what the stage shows may differ; "restored" after a lost connection.
export class Session extends EventTarget {
  constructor() {
    super();
    this.client = new RealtimeClient();
    this.conversation = new Conversation();
    this.microphone = new Microphone();
    this.player = new Player();
    this.readiness = new Readiness();
    this.mode = "free";
    this.muted = false;
    this.paused = false; // while something is replayed
    this.pressed = false;
    this.connection = { state: "connecting" };
    this.audible = new Set();
    this.reported = new Map();
    this.wasOpen = false;
    this.fresh();
    this.wire();
  }

  fresh() {
    this.sent_s = 0;
    this.frames = [];
    this.pressed_pcm = []; // what is said while the button is held
    this.pressedSounds = []; // of turns that the server has not committed yet
    this.isSetUp = false;
  }

  wire() {
    const { client, conversation, microphone, player } = this;
    client.addEventListener("state", ({ detail }) => this.connectionChanged(detail));
    client.addEventListener("server", ({ detail }) => this.receive(detail));
    this.readiness.addEventListener("change", () => this.changed());
    microphone.addEventListener("frame", ({ detail }) => this.frame(detail));
    for (const name of ["state", "problem"]) microphone.addEventListener(name, () => this.changed());
    conversation.addEventListener("turn", () => this.changed());
    conversation.addEventListener("interrupted", () => this.cut());
    conversation.addEventListener("hold", () => player.hold());
    conversation.addEventListener("resume", () => player.resume());
    conversation.addEventListener("wants-sound", ({ detail }) => {
      const { entry } = detail;
      this.soundOf(entry, entry.start_s, entry.end_s);
    });
    conversation.addEventListener("sound", ({ detail }) => {
      player.push(detail.itemId, detail.pcm);
      this.changed();
    });
    conversation.addEventListener("sound-end", ({ detail }) => player.end(detail.itemId));
    player.addEventListener("audible", ({ detail }) => {
      if (!player.busy.has(detail.id)) return; // it was cut meanwhile
      this.audible.add(detail.id);
      conversation.audible(detail.id);
      this.changed();
    });
    player.addEventListener("played", ({ detail }) => this.played(detail));
    for (const name of ["suspended", "running"]) player.addEventListener(name, () => this.changed());
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  // connecting, loading (of the models), ready, listening, thinking, held (by the browser), speaking or error
  get state() {
    const { conversation, microphone } = this;
    if (this.connection.state === "waiting" || this.connection.state === "refused") return "error";
    if (this.connection.state === "connecting" && this.client.attempts > 0) return "error";
    if (!this.isSetUp) return "connecting";
    if (this.pressed || conversation.userSpeaks) return "listening";
    if (this.player.isHeldBack) return "held";
    if (this.audible.size) return "speaking";
    if (conversation.isThinking || this.player.busy.size) return "thinking";
    if (this.mode === "free" && microphone.state === "on" && !this.muted && !this.paused) return "listening";
    return this.readiness.status === "loading" ? "loading" : "ready";
  }

  connectionChanged(detail) {
    this.connection = detail;
    if (detail.state !== "open" && this.isSetUp) {
      this.fresh();
      this.pressed = false;
      this.player.drop();
      this.audible.clear();
      this.conversation.restart();
    }
    this.changed();
  }

  receive(event) {
    if (event.type === "session.created") this.setUp();
    if (event.type === "input_audio_buffer.committed" && this.pressedSounds.length) {
      this.conversation.user(event.item_id).sound = this.pressedSounds.shift();
    }
    this.conversation.receive(event, this.sent_s);
  }

  setUp() {
    this.client.send({
      type: "session.update",
      session: {
        type: "realtime",
        agentaudio: { events: true },
        output_modalities: ["audio"],
        audio: {
          input: {
            format: { type: "audio/pcm", rate: 24000 },
            transcription: { model: "gpt-4o-mini-transcribe" },
            turn_detection: this.turnDetection(),
          },
          output: { format: { type: "audio/pcm", rate: 24000 } },
        },
      },
    });
    this.isSetUp = true;
    this.readiness.watch();
    if (this.wasOpen) this.giveBack();
    this.wasOpen = true;
    this.changed();
  }

  turnDetection() {
    if (this.mode === "press") return null;
    return { type: "semantic_vad", eagerness: "auto", create_response: true, interrupt_response: true };
  }

  // After a lost connection the server's session is a new one: it is told what was said.
  giveBack() {
    const said = this.conversation.entries.filter((entry) => entry.text && entry.kind !== "note" && !entry.failure);
    for (const entry of said.slice(-REPLAYED)) {
      const isUser = entry.kind === "user";
      const content = isUser ? { type: "input_text", text: entry.text } : { type: "output_text", text: entry.heardText ?? entry.text };
      if (!content.text) continue;
      this.client.send({
        type: "conversation.item.create",
        item: { type: "message", id: newId("item"), role: isUser ? "user" : "assistant", content: [content] },
      });
    }
    this.dispatchEvent(new CustomEvent("restored", { detail: { count: said.length } }));
  }

  setMode(mode) {
    if (this.pressed) this.release();
    this.mode = mode;
    this.update({ audio: { input: { turn_detection: this.turnDetection() } } });
    this.changed();
  }

  setVoice(id) {
    this.update({ audio: { output: { voice: id } } });
  }

  update(session) {
    if (this.isSetUp) this.client.send({ type: "session.update", session: { type: "realtime", ...session } });
  }

  setMuted(muted) {
    this.muted = muted;
    this.changed();
  }

  // While something is replayed or recorded, nothing is listened to.
  setPaused(paused) {
    this.paused = paused;
    if (paused) this.stopAnswer();
    this.changed();
  }

  frame({ pcm }) {
    const wanted = this.mode === "press" ? this.pressed : !this.muted && !this.paused;
    if (!wanted || !this.isSetUp) return;
    if (!this.client.send({ type: "input_audio_buffer.append", audio: toBase64(pcm) })) return;
    if (this.mode === "press") {
      this.pressed_pcm.push(pcm); // the server's clock of the turn detection stands still
      return;
    }
    this.frames.push({ at_s: this.sent_s, pcm });
    if (this.frames.length > KEPT_FRAMES) this.frames.splice(0, this.frames.length - KEPT_FRAMES);
    this.sent_s += FRAME_S;
  }

  soundOf(entry, from_s = 0, to_s = this.sent_s) {
    const parts = this.frames.filter(({ at_s }) => at_s >= from_s - FRAME_S && at_s < to_s).map(({ pcm }) => pcm);
    entry.sound = join(parts);
    this.conversation.changed(entry);
    this.conversation.keepSound();
  }

  async press() {
    this.pressed = true;
    this.stopAnswer();
    this.pressed_pcm = [];
    this.client.send({ type: "input_audio_buffer.clear" });
    this.changed();
    if (this.microphone.state !== "on" && !(await this.microphone.start())) this.pressed = false;
    this.changed();
  }

  release() {
    if (!this.pressed) return;
    this.pressed = false;
    // Shorter than a syllable: a slip of the finger.
    if (this.pressed_pcm.length * FRAME_S >= 0.15) {
      this.pressedSounds.push(join(this.pressed_pcm));
      this.client.send({ type: "input_audio_buffer.commit" });
      this.client.send({ type: "response.create" });
      this.conversation.think(true);
    }
    this.changed();
  }

  say(text) {
    if (!this.isSetUp) return false;
    this.player.start();
    this.stopAnswer();
    const id = newId("item");
    this.conversation.typed(text, id);
    this.client.send({
      type: "conversation.item.create",
      item: { type: "message", id, role: "user", content: [{ type: "input_text", text }] },
    });
    return this.client.send({ type: "response.create" });
  }

  // The user wants no more of the answer.
  stopAnswer() {
    const { active } = this.conversation;
    if (active) this.client.send({ type: "response.cancel", response_id: active.responseId });
    this.cut();
  }

  // Let nothing more be heard. How much was, follows by `played`.
  cut() {
    this.conversation.stopped([...this.player.busy]);
    if (this.player.busy.size) this.player.drop();
    this.audible.clear();
    this.changed();
  }

  played(detail) {
    const { id, seconds, done, isCut } = detail;
    this.conversation.played(detail);
    const item = this.conversation.items.get(id);
    const now = performance.now();
    if (item && (done || now - (this.reported.get(id) ?? 0) >= REPORT_MS)) {
      this.reported.set(id, now);
      const audio_ms = Math.round(seconds * 1000);
      this.client.send({ type: "agentaudio.played", item_id: id, response_id: item.entry.responseId, audio_ms });
      if (isCut) {
        this.client.send({ type: "conversation.item.truncate", item_id: id, content_index: 0, audio_end_ms: audio_ms });
      }
    }
    if (done) {
      this.audible.delete(id);
      this.reported.delete(id);
      this.changed();
    }
  }

  // Forget everything and begin anew.
  restart() {
    this.stopAnswer();
    this.conversation.entries = [];
    this.conversation.restart();
    this.conversation.setVoice(null);
    this.wasOpen = false;
    this.client.restart();
  }
}
