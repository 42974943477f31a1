// What an empty page says: what can be tried here.

import { $, el } from "./dom.js";

const IDEAS = [
  ["audio_search", "A new voice", "Answer in the voice of a calm old man."],
  ["search_documents", "With sources", "Tell me about Saturn."],
  ["web_search", "From the web", "What happened in the news today?"],
  ["get_weather", "Weather", "What is the weather in Lisbon?"],
  ["get_date_time", "The time", "What time is it in Tokyo?"],
  ["calculate", "Numbers", "What is 17 percent of 3,250?"],
];

// tools: names of the agent's tools, or null when they are not known; send: called with a text
export function welcome(tools, send) {
  const fitting = tools ? IDEAS.filter(([tool]) => tools.includes(tool)).slice(0, 4) : [];
  $("welcome").replaceChildren(
    el("h1", {}, "Say something. It listens, looks things up, and answers in the voice you ask for."),
    el("p", {}, "You can interrupt it at any time. What you hear is what it remembers."),
    el(
      "div",
      { class: "ideas" },
      ...fitting.map(([, label, text]) => el("button", { type: "button", onclick: () => send(text) }, el("small", {}, label), el("span", {}, text))),
    ),
    el("p", { class: "keys" }, el("kbd", {}, "Space"), " to talk, ", el("kbd", {}, "Esc"), " to stop the answer"),
  );
}
