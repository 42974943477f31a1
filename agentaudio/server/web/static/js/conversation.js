// What was said and done, from the events of the server and of the player. Views listen to it; it knows no element.

import { Latency } from "./latency.js";
import { fromBase64, join } from "./sound.js";

const KEPT_S = 900; // of sound, for playing it again; the oldest goes first
const RATE = 24000;

let counter = 0;

class Entry {
  constructor(kind, fields = {}) {
    counter += 1;
    Object.assign(this, { key: counter, kind, sound: null, text: "", ...fields });
  }
}

// Events: "added", "changed" and "removed" {entry}; "turn" when thinking, speaking or the user's speech changes;
// "voice" {voice}; "session" {session}; "problem" {message}.
export class Conversation extends EventTarget {
  constructor() {
    super();
    this.entries = [];
    this.session = {};
    this.voice = null;
    this.restart();
  }

  // A new connection: what was said stays in view, and nothing is under way.
  restart() {
    this.userSpeaks = false;
    this.isThinking = false;
    this.isHeld = false;
    this.active = null; // the entry of the answer under way
    this.users = new Map(); // item id -> entry
    this.answers = new Map(); // response id -> entry
    this.items = new Map(); // item id -> {entry, received_s, played_s, isDone}
    this.calls = new Map(); // call id -> {entry, call}
    this.latency = null;
  }

  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  add(entry) {
    this.entries.push(entry);
    this.emit("added", { entry });
    return entry;
  }

  changed(entry) {
    this.emit("changed", { entry });
  }

  remove(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
    this.emit("removed", { entry });
  }

  note(text, tone = "plain") {
    return this.add(new Entry("note", { text, tone }));
  }

  typed(text, itemId) {
    const entry = this.add(new Entry("user", { text, isTyped: true, isFinal: true }));
    this.users.set(itemId, entry);
    this.latency = new Latency("sent");
    this.think(true);
    return entry;
  }

  think(yes) {
    this.isThinking = yes;
    this.emit("turn");
  }

  // sent_s: seconds of sound sent on this connection, when the event came
  receive(event, sent_s = 0) {
    const name = event.type?.replaceAll(".", "_");
    if (typeof this[`on_${name}`] === "function") this[`on_${name}`](event, sent_s);
  }

  on_session_created({ session }) {
    this.session = session ?? {};
    const own = this.session.agentaudio ?? {};
    if ("voice" in own) this.setVoice(own.voice);
    this.emit("session", { session: this.session });
  }

  on_session_updated(event) {
    this.on_session_created(event);
  }

  on_error({ error }) {
    this.emit("problem", { message: error?.message ?? "The server reports an error.", code: error?.code });
  }

  user(itemId) {
    let entry = this.users.get(itemId);
    if (!entry) {
      entry = this.add(new Entry("user", { isFinal: false }));
      this.users.set(itemId, entry);
    }
    return entry;
  }

  on_input_audio_buffer_speech_started({ item_id: itemId, audio_start_ms: start_ms }) {
    const entry = this.user(itemId);
    entry.start_s = (start_ms ?? 0) / 1000;
    this.userSpeaks = true;
    this.emit("turn");
    this.emit("interrupted");
  }

  on_input_audio_buffer_speech_stopped({ item_id: itemId, audio_end_ms: end_ms }, sent_s) {
    this.userSpeaks = false;
    const entry = this.users.get(itemId);
    const ago_s = end_ms === undefined ? 0 : Math.min(5, Math.max(0, sent_s - end_ms / 1000));
    this.latency = new Latency("speech", ago_s);
    if (entry) {
      entry.end_s = end_ms === undefined ? sent_s : end_ms / 1000;
      this.emit("wants-sound", { entry });
    }
    // A noise in which nobody found words is committed by nobody.
    if (entry && !entry.text) setTimeout(() => this.forgetEmpty(itemId), 3000);
    this.emit("turn");
  }

  on_input_audio_buffer_committed({ item_id: itemId }) {
    this.latency ??= new Latency("speech");
    this.latency.mark("turn end");
    const entry = this.user(itemId);
    entry.isCommitted = true;
    this.changed(entry);
    if (!this.active) this.think(true);
  }

  forgetEmpty(itemId) {
    const entry = this.users.get(itemId);
    if (entry && !entry.text && !entry.isCommitted) {
      this.users.delete(itemId);
      this.remove(entry);
    }
  }

  on_conversation_item_deleted({ item_id: itemId }) {
    const entry = this.users.get(itemId);
    if (entry && !entry.isFinal) {
      this.users.delete(itemId);
      this.remove(entry);
    }
  }

  on_conversation_item_input_audio_transcription_delta({ item_id: itemId, delta }) {
    const entry = this.user(itemId);
    if (entry.isFinal) return;
    entry.text += delta ?? "";
    this.changed(entry);
  }

  on_conversation_item_input_audio_transcription_completed({ item_id: itemId, transcript }) {
    const entry = this.user(itemId);
    entry.text = (transcript ?? "").trim() || entry.text;
    entry.isFinal = true;
    this.latency?.mark("hearing");
    this.changed(entry);
  }

  on_conversation_item_input_audio_transcription_failed({ item_id: itemId }) {
    const entry = this.user(itemId);
    entry.isFinal = true;
    entry.isUnclear = !entry.text;
    this.changed(entry);
  }

  on_response_created({ response }) {
    const entry = new Entry("agent", {
      responseId: response?.id,
      pieces: [],
      tools: [],
      citations: [],
      voice: this.voice,
      status: "in_progress",
      latency: this.latency,
    });
    this.latency = null;
    this.answers.set(response?.id, entry);
    this.active = entry;
    this.add(entry);
    this.think(true);
  }

  answer(responseId) {
    return this.answers.get(responseId) ?? this.active;
  }

  item(itemId, entry) {
    if (!this.items.has(itemId)) {
      this.items.set(itemId, { entry, received_s: 0, played_s: 0, isDone: false, isCut: false });
    }
    return this.items.get(itemId);
  }

  on_response_output_audio_transcript_delta({ response_id: responseId, item_id: itemId, delta }) {
    const entry = this.answer(responseId);
    if (!entry || !delta) return;
    entry.latency?.mark("thinking", { once: true });
    const item = this.item(itemId, entry);
    if (item.isCut || entry.isStopped) return;
    entry.pieces.push({ text: delta, item, at_s: item.received_s });
    entry.text += delta;
    this.changed(entry);
  }

  on_response_output_text_delta(event) {
    this.on_response_output_audio_transcript_delta(event);
  }

  on_response_output_audio_delta({ response_id: responseId, item_id: itemId, delta }) {
    const entry = this.answer(responseId);
    if (!entry || !delta) return;
    const item = this.item(itemId, entry);
    if (item.isCut || entry.isStopped) return;
    const pcm = fromBase64(delta);
    entry.latency?.mark("first sound", { once: true });
    item.received_s += pcm.length / RATE;
    (entry.parts ??= []).push(pcm);
    this.emit("sound", { itemId, pcm });
  }

  on_response_output_audio_done({ item_id: itemId }) {
    this.emit("sound-end", { itemId });
  }

  on_response_done({ response }) {
    const entry = this.answers.get(response?.id) ?? this.active;
    if (!entry) return;
    entry.status = response?.status ?? "completed";
    for (const [itemId, item] of this.items) if (item.entry === entry) this.emit("sound-end", { itemId });
    const own = response?.agentaudio ?? {};
    if (own.citations?.length) entry.citations = own.citations;
    if (own.timings) entry.timings = own.timings;
    if (entry.status === "failed") {
      entry.failure = response?.status_details?.error?.message ?? "The answer failed.";
    }
    for (const tool of entry.tools) if (tool.status === "running") tool.status = "left";
    entry.sound = entry.parts ? join(entry.parts) : null;
    this.keepSound();
    if (this.active === entry) this.active = null;
    this.think(false);
    const isEmpty = !entry.text && !entry.tools.length && !entry.voiceCard && !entry.failure && !entry.parts;
    if (isEmpty) this.remove(entry);
    else this.changed(entry);
  }

  // Nobody wants to hear more of the answer under way, nor of those with these items. What still comes is left out.
  stopped(itemIds) {
    for (const entry of [this.active, ...itemIds.map((id) => this.items.get(id)?.entry)]) {
      if (entry) entry.isStopped = true;
    }
  }

  // The loudspeaker has come so far in an item.
  played({ id, seconds, done, isCut }) {
    const item = this.items.get(id);
    if (!item) return;
    item.played_s = Math.max(item.played_s, seconds);
    item.isDone ||= done;
    item.isCut ||= isCut;
    if (isCut) item.entry.isCut = true;
    this.changed(item.entry);
  }

  audible(id) {
    const entry = this.items.get(id)?.entry;
    if (!entry) return;
    entry.latency?.mark("playing", { once: true, last: true });
    this.changed(entry);
  }

  setVoice(voice) {
    this.voice = voice ?? null;
    this.emit("voice", { voice: this.voice });
  }

  on_agentaudio_event({ response_id: responseId, event }) {
    const name = event?.type?.replaceAll(".", "_");
    if (typeof this[`own_${name}`] === "function") this[`own_${name}`](event, this.answer(responseId));
  }

  own_tool_started({ call }, entry) {
    if (!entry || this.calls.has(call.id)) return;
    entry.latency?.mark("thinking", { once: true });
    const tool = { call, status: "running", progress: null, result: null, began: performance.now() };
    entry.tools.push(tool);
    this.calls.set(call.id, { entry, tool });
    this.changed(entry);
  }

  own_tool_progress({ call, message, share }) {
    const known = this.calls.get(call.id);
    if (!known) return;
    known.tool.progress = { message, share };
    this.changed(known.entry);
  }

  own_tool_finished({ run }, entry) {
    if (!this.calls.has(run.call.id)) this.own_tool_started({ call: run.call }, entry);
    const known = this.calls.get(run.call.id);
    if (!known) return;
    Object.assign(known.tool, { status: run.status, result: run.result, duration_s: run.duration_s });
    known.entry.latency?.mark("tools");
    this.changed(known.entry);
  }

  own_voice_changed({ voice }, entry) {
    this.setVoice(voice);
    if (!entry) return;
    entry.voice = voice;
    entry.voiceCard = voice ?? "default";
    this.changed(entry);
  }

  own_citation({ citation }, entry) {
    if (!entry) return;
    entry.citations = [...entry.citations, citation];
    this.changed(entry);
  }

  own_heard({ text, final }) {
    if (final) return;
    const entry = [...this.users.values()].at(-1);
    if (!entry || entry.isFinal || entry.isTyped) return;
    entry.text = text;
    this.changed(entry);
  }

  own_agent_paused() {
    this.isHeld = true;
    this.emit("hold");
  }

  own_agent_resumed() {
    this.isHeld = false;
    this.emit("resume");
  }

  own_agent_stopped() {
    this.isHeld = false;
    this.emit("interrupted");
  }

  keepSound() {
    let seconds = 0;
    for (const entry of [...this.entries].reverse()) {
      if (!entry.sound) continue;
      seconds += entry.sound.length / RATE;
      if (seconds > KEPT_S) {
        entry.sound = entry.parts = null;
        this.changed(entry);
      }
    }
  }
}
