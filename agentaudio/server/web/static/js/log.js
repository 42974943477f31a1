// The raw events of both directions, as they are on the wire; sound is shortened.

import { $, button, el } from "./dom.js";

const MOST = 1500;
const LONG = 400;

function short(key, value) {
  if ((key === "delta" || key === "audio" || key === "data") && typeof value === "string" && value.length > LONG) {
    return `<${value.length} characters of base64>`;
  }
  return value;
}

const text = (event) => el("pre", {}, JSON.stringify(event, short, 2));

export class EventLog {
  constructor() {
    this.began = performance.now();
    this.kept = []; // {at_s, way, event}
    this.list = el("div", { class: "events" });
    this.filter = el("input", { type: "search", placeholder: "Filter", "aria-label": "Filter events by type" });
    this.filter.addEventListener("input", () => this.refilter());
    this.sounds = el("input", { type: "checkbox" });
    this.sounds.addEventListener("change", () => this.refilter());
    const save = button("Save", { class: "quiet", onclick: () => this.save() });
    const clear = button("Clear", { class: "quiet", onclick: () => this.clear() });
    $("log").append(
      el("header", {}, this.filter, el("label", { class: "quiet" }, this.sounds, "sound"), save, clear),
      this.list,
    );
    $("open-log").addEventListener("click", () => this.toggle());
  }

  get isOpen() {
    return !$("log").hidden;
  }

  toggle(open = !this.isOpen) {
    $("log").hidden = !open;
    document.body.toggleAttribute("data-log", open);
    $("open-log").setAttribute("aria-expanded", String(open));
    if (open) this.refilter();
  }

  // way: "in" from the server, "out" to it
  add(way, event) {
    const row = { at_s: (performance.now() - this.began) / 1000, way, event };
    this.kept.push(row);
    if (this.kept.length > MOST) this.kept.splice(0, this.kept.length - MOST);
    if (this.isOpen && this.fits(row)) this.append(row);
  }

  fits({ event }) {
    const type = String(event.type);
    if (!this.sounds.checked && /^(input_audio_buffer\.append|response\.output_audio\.delta|agentaudio\.played)$/.test(type)) {
      return false;
    }
    const inner = event.event?.type ?? "";
    return `${type} ${inner}`.includes(this.filter.value.trim());
  }

  append({ at_s, way, event }) {
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    const inner = event.event?.type ? ` ${event.event.type}` : "";
    const type = `${event.type}${inner}`;
    const { lastRow } = this;
    if (lastRow?.type === type && lastRow.way === way && lastRow.root.isConnected) {
      lastRow.events.push(event);
      lastRow.count.textContent = `×${lastRow.events.length}`;
      if (lastRow.root.open) lastRow.root.append(text(event));
    } else {
      this.lastRow = this.row({ at_s, way, event, type });
      this.list.append(this.lastRow.root);
    }
    while (this.list.childElementCount > MOST) this.list.firstElementChild.remove();
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }

  // One line for events of the same type that follow each other.
  row({ at_s, way, event, type }) {
    const bad = event.type === "error" || event.response?.status === "failed";
    const arrow = way === "in" ? "←" : "→";
    const label = way === "in" ? "from the server" : "to the server";
    const count = el("span", { class: "times" });
    const root = el(
      "details",
      { class: bad ? "bad" : null },
      el(
        "summary",
        {},
        el("time", {}, at_s.toFixed(2)),
        el("span", { class: way, role: "img", "aria-label": label }, arrow),
        el("span", { class: "type", title: type }, type),
        count,
      ),
    );
    const row = { root, type, way, count, events: [event] };
    // The text of an event is made when someone looks at it: most are never opened.
    root.addEventListener("toggle", () => root.append(...row.events.map(text)), { once: true });
    return row;
  }

  refilter() {
    this.list.replaceChildren();
    this.lastRow = null;
    for (const row of this.kept) if (this.fits(row)) this.append(row);
    this.list.scrollTop = this.list.scrollHeight;
  }

  clear() {
    this.kept = [];
    this.list.replaceChildren();
  }

  save() {
    const lines = this.kept.map((row) => JSON.stringify(row, short)).join("\n");
    saveFile(new Blob([lines, "\n"], { type: "application/jsonl" }), "agentaudio-events.jsonl");
  }
}

export function saveFile(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
