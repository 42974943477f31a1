// The conversation as the reader sees it: one list item for each entry, brought up to date in place.

import { $, OWN_HUE, announce, button, el, hueOf, icon, seconds, setIcon, webAddress } from "./dom.js";
import { cardOf, voiceCard } from "./voice_card.js";
import { wav } from "./sound.js";

const NEAR_END = 80;

export class Transcript {
  constructor(conversation, replay) {
    this.replay = replay;
    this.list = $("transcript");
    this.views = new Map();
    this.dirty = new Set();
    conversation.addEventListener("added", ({ detail }) => this.added(detail.entry));
    conversation.addEventListener("changed", ({ detail }) => this.later(detail.entry));
    conversation.addEventListener("removed", ({ detail }) => {
      this.views.get(detail.entry.key)?.root.remove();
      this.views.delete(detail.entry.key);
    });
  }

  clear() {
    this.list.replaceChildren();
    this.views.clear();
    this.dirty.clear();
  }

  added(entry) {
    const view = entry.kind === "agent" ? this.agent(entry) : entry.kind === "user" ? this.user() : this.note(entry);
    this.views.set(entry.key, view);
    this.keepEnd(() => this.list.append(view.root));
    this.later(entry);
  }

  // Deltas come faster than frames: an entry is drawn at most once a frame.
  later(entry) {
    if (!this.dirty.size) {
      const draw = () => this.keepEnd(() => this.drawAll());
      if (document.hidden) setTimeout(draw, 100);
      else requestAnimationFrame(draw);
    }
    this.dirty.add(entry);
  }

  drawAll() {
    const entries = [...this.dirty];
    this.dirty.clear();
    for (const entry of entries) this.views.get(entry.key)?.draw?.(entry);
  }

  keepEnd(change) {
    const box = $("scroll");
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
    change();
    if (atEnd) box.scrollTop = box.scrollHeight;
  }

  note(entry) {
    return { root: el("li", { class: `entry note ${entry.tone}` }, el("p", {}, entry.text)) };
  }

  player(entry, label) {
    const play = button(label, { icon: "play", class: "quiet", "aria-pressed": "false" });
    play.hidden = true;
    play.addEventListener("click", () =>
      this.replay.toggle(`entry ${entry.key}`, async () => wav(entry.sound), (on) => {
        setIcon(play, on ? "pause" : "play");
        play.setAttribute("aria-pressed", String(on));
      }),
    );
    return play;
  }

  user() {
    const said = el("p", { class: "said" });
    const foot = el("div", { class: "foot" });
    const root = el("li", { class: "entry user" }, el("span", { class: "who" }, "You"), el("div", { class: "body" }, said, foot));
    let play = null;
    return {
      root,
      draw: (entry) => {
        root.classList.toggle("partial", !entry.isFinal);
        said.textContent = entry.text || (entry.isUnclear ? "(not understood)" : "");
        play ??= foot.appendChild(this.player(entry, "Replay"));
        play.hidden = !entry.sound?.length;
        foot.hidden = play.hidden;
      },
    };
  }

  agent() {
    const who = el("span", { class: "who" });
    const calls = el("div", { class: "body calls" });
    const card = el("div", {});
    const said = el("p", { class: "said" });
    const failure = el("p", { class: "failure" });
    const sources = el("ol", { class: "sources", "aria-label": "Sources" });
    const foot = el("div", { class: "foot" });
    const cut = el("span", { class: "cut" });
    const times = el("div", { class: "times" });
    foot.append(times, cut);
    const root = el("li", { class: "entry agent" }, who, el("div", { class: "body" }, calls, card, said, failure, sources, foot));
    const tools = new Map();
    let play = null;
    let shown = {};
    return {
      root,
      draw: (entry) => {
        const voice = entry.voice ? cardOf(entry.voice) : null;
        who.textContent = voice ? String(voice.name ?? voice.id) : "Agent";
        root.style.setProperty("--hue-voice", voice ? hueOf(voice.id) : OWN_HUE);
        this.drawCalls(entry, calls, tools);
        if (entry.voiceCard !== shown.voiceCard) {
          card.replaceChildren(voiceCard(entry.voiceCard === "default" ? null : entry.voiceCard, { listen: this.replay }));
        }
        card.hidden = !entry.voiceCard;
        this.drawWords(entry, said);
        failure.textContent = entry.failure ?? "";
        failure.hidden = !entry.failure;
        if (entry.citations !== shown.citations) sources.replaceChildren(...entry.citations.map(source));
        sources.hidden = !entry.citations.length;
        const isDone = entry.status !== "in_progress";
        root.classList.toggle("waiting", !isDone && !entry.text);
        drawTimes(entry, times);
        cut.textContent = entry.isCut || entry.status === "cancelled" ? "interrupted" : "";
        play ??= foot.insertBefore(this.player(entry, "Replay"), times);
        play.hidden = !entry.sound?.length;
        foot.hidden = play.hidden && times.hidden && !cut.textContent;
        shown = { voiceCard: entry.voiceCard, citations: entry.citations };
        if (isDone && !entry.isAnnounced) {
          entry.isAnnounced = true;
          if (entry.text) announce(`${who.textContent}: ${entry.text}`);
        }
      },
    };
  }

  // Words that were played, words that are still to come, and words that nobody heard.
  drawWords(entry, said) {
    let heard = "";
    let coming = "";
    let unheard = "";
    for (const { text, item, at_s: at } of entry.pieces) {
      const silent = item.received_s === 0 && !item.isCut;
      if (silent || item.played_s > at || (item.isDone && !item.isCut)) heard += text;
      else if (item.isCut || entry.status === "cancelled") unheard += text;
      else coming += text;
    }
    // The blank between them belongs to what was heard, so that it is not struck out.
    const blank = unheard.match(/^\s*/)[0];
    heard += blank;
    unheard = unheard.slice(blank.length);
    const part = (kind, text) => text && el("span", { class: kind }, text);
    said.replaceChildren(...[part("heard", heard), part("coming", coming), part("unheard", unheard)].filter(Boolean));
    said.hidden = !entry.text && entry.status !== "in_progress";
  }

  drawCalls(entry, box, views) {
    for (const tool of entry.tools) {
      const id = tool.call.id;
      if (!views.has(id)) {
        views.set(id, call(tool));
        box.append(views.get(id).root);
      }
      views.get(id).draw(tool);
    }
    box.hidden = !entry.tools.length;
  }
}

const STATUS = {
  running: "running",
  done: "",
  failed: "failed",
  timed_out: "too slow",
  denied: "denied",
  cancelled: "cancelled",
  left: "ended",
};

function call(tool) {
  const when = el("span", { class: "when" });
  const share = el("i");
  const bar = el("div", { class: "bar-share" }, share);
  const progress = el("p", { class: "aside" });
  const sign = icon("reset");
  const values = Object.values(tool.call.arguments ?? {}).map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
  const result = el("pre");
  const resultTitle = el("h4", {}, "Result");
  const root = el(
    "details",
    { class: "call running" },
    el("summary", {}, sign, el("span", { class: "what" }, el("b", {}, String(tool.call.name)), " ", values.join(" · ")), when),
    bar,
    el(
      "div",
      { class: "inside" },
      progress,
      el("h4", {}, "Arguments"),
      el("pre", {}, JSON.stringify(tool.call.arguments ?? {}, null, 2)),
      resultTitle,
      result,
    ),
  );
  return {
    root,
    draw: (now) => {
      const kind = now.status === "done" ? "done" : now.status === "running" ? "running" : "failed";
      root.className = `call ${kind}`;
      sign.querySelector("use").setAttribute("href", `#icon-${{ done: "check", running: "reset", failed: "alert" }[kind]}`);
      const time = now.duration_s === undefined ? "" : seconds(now.duration_s);
      const message = now.status === "running" && now.progress ? String(now.progress.message ?? "") : STATUS[now.status] ?? now.status;
      when.textContent = [message, time].filter(Boolean).join(" · ");
      progress.textContent = now.progress ? String(now.progress.message ?? "") : "";
      progress.hidden = !progress.textContent;
      bar.hidden = now.status !== "running" || typeof now.progress?.share !== "number";
      share.style.setProperty("--share", `${Math.round(100 * (now.progress?.share ?? 0))}%`);
      result.textContent = now.result?.text ?? "";
      result.hidden = resultTitle.hidden = !result.textContent;
    },
  };
}

// A cited passage. One of the web is a link to the words themselves, one of a document opens here.
function source(citation, index) {
  const { title, source: place, quote } = citation;
  const number = el("span", { class: "number" }, `${index + 1}`);
  const url = webAddress(place);
  if (url) {
    const words = String(quote ?? "").trim().split(/\s+/);
    if (words.length > 2 && !url.hash) {
      const ends = words.length > 12 ? [words.slice(0, 5), words.slice(-5)] : [words];
      const exact = (text) => encodeURIComponent(text.join(" ")).replaceAll("-", "%2D");
      url.hash = `:~:text=${ends.map(exact).join(",")}`;
    }
    const link = el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, String(title || url.host));
    return el("li", {}, number, el("div", {}, link, " ", el("span", { class: "host" }, url.host), quote && el("blockquote", {}, String(quote))));
  }
  return el(
    "li",
    {},
    number,
    el(
      "details",
      {},
      el("summary", {}, el("span", { class: "title" }, String(title || place)), " ", el("span", { class: "host" }, String(place ?? ""))),
      el("blockquote", {}, String(quote ?? "")),
    ),
  );
}

function drawTimes(entry, box) {
  const { latency } = entry;
  const stages = latency?.stages.filter(({ from_s, to_s }) => to_s - from_s > 0.0005) ?? [];
  box.hidden = !stages.length || (!latency.isWhole && entry.status === "in_progress");
  if (box.hidden || box.dataset.drawn === String(stages.length)) return;
  box.dataset.drawn = String(stages.length);
  const whole = latency.total_s;
  const bar = (stage) => {
    const part = el("i", { "data-stage": stage.stage });
    part.style.setProperty("--part", String(stage.to_s - stage.from_s));
    return part;
  };
  const line = (stage) => {
    const part = el("i", { "data-stage": stage.stage });
    part.style.setProperty("--from", `${(100 * stage.from_s) / whole}%`);
    part.style.setProperty("--wide", `${(100 * (stage.to_s - stage.from_s)) / whole}%`);
    return el("div", { class: "line", "aria-hidden": "true" }, part);
  };
  const label = latency.isWhole ? "to the first sound" : "to the answer";
  const from = latency.from === "speech" ? "after your last word" : "after you sent it";
  box.replaceChildren(
    el(
      "details",
      {},
      el("summary", { title: `${label}, ${from}` }, el("span", {}, `${seconds(whole)} ${label}`), el("span", { class: "strip", "aria-hidden": "true" }, ...stages.map(bar))),
      el("dl", {}, ...stages.flatMap((stage) => [el("dt", {}, stage.stage), el("dd", {}, seconds(stage.to_s - stage.from_s)), line(stage)])),
    ),
  );
}
