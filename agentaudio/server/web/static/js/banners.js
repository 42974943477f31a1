// Messages above the page, one for each subject: what is wrong, and what helps.

import { $, announce, button, el, icon } from "./dom.js";

const shown = new Map();

// actions: [{label, onclick}]; tone: "error" or "hint"
export function banner(subject, { title, help = "", actions = [], tone = "error", dismiss = true }) {
  clearBanner(subject);
  const close = button("", { icon: "close", class: "quiet", "aria-label": "Dismiss", onclick: () => clearBanner(subject) });
  const element = el(
    "section",
    { class: `banner ${tone}-tone`, "aria-label": title },
    icon(tone === "error" ? "alert" : "sound"),
    el("h2", {}, title),
    help && el("p", {}, help),
    el(
      "div",
      { class: "actions" },
      ...actions.map(({ label, onclick }) => button(label, { class: "plain", onclick })),
      dismiss && close,
    ),
  );
  shown.set(subject, element);
  $("banners").append(element);
  announce(`${title}. ${help}`);
  return element;
}

export function clearBanner(subject) {
  shown.get(subject)?.remove();
  shown.delete(subject);
}

