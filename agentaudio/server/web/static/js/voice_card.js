// The card of a voice: who it is, what it may be used for, and its own recording.

import { el, hueOf, icon, seconds, setIcon, sureButton } from "./dom.js";

const SMALL = { female: "female", male: "male", neutral: "neutral", child: "child", young: "young", adult: "adult", old: "old" };

// The card inside what the server calls a voice: `Voice.to_dict()`, or an entry of GET /v1/audio/voices.
export const cardOf = (voice) => voice?.card ?? voice ?? {};

function facts(card) {
  const consent = card.consent;
  return [
    card.language && card.language !== "und" && card.language,
    card.duration_s && `${seconds(card.duration_s)} recorded`,
    consent && (consent.basis === "speaker" ? "lent by its speaker" : consent.basis),
    consent?.until && `until ${consent.until}`,
    card.licence,
  ].filter(Boolean);
}

// voice: null for the agent's own; listen: a Replay; use, takeBack: called by the buttons that choose it, and delete it
// where this user may
export function voiceCard(voice, { listen = null, use = null, takeBack = null, isCurrent = false, label = "Use" } = {}) {
  const card = cardOf(voice);
  const isOwn = !voice || voice === "default";
  const name = isOwn ? "The agent’s own voice" : String(card.name ?? card.id);
  const about = isOwn ? "No reference voice is in use." : card.description;
  const traits = [SMALL[card.gender], SMALL[card.age], card.style, card.accent].filter(Boolean).join(", ");
  const play = el(
    "button",
    { type: "button", class: "listen", "aria-label": `Listen to the recording of ${name}`, "aria-pressed": "false" },
    icon(isOwn ? "voices" : "play"),
  );
  if (isOwn || !listen) play.disabled = true;
  else {
    play.addEventListener("click", () =>
      listen.toggle(`voice ${card.id}`, () => listen.sample(card.id), (on) => {
        setIcon(play, on ? "pause" : "play");
        play.setAttribute("aria-pressed", String(on));
      }),
    );
  }
  const chosen = use && !isCurrent && el("button", { type: "button", class: "quiet use", onclick: use }, label);
  const element = el(
    "article",
    { class: `voice-card${isOwn ? " own-voice" : ""}`, "aria-label": `Voice: ${name}`, "aria-current": isCurrent || null },
    play,
    el("h3", { class: "title" }, name, " ", traits && el("small", {}, traits)),
    chosen || (isCurrent && el("small", { class: "use aside" }, "in use")),
    about && el("p", { class: "about", title: about }, String(about)),
    !isOwn && facts(card).length > 0 && el("p", { class: "facts" }, ...facts(card).map((fact) => el("span", {}, String(fact)))),
    takeBack && card.may_delete && sureButton("Take back", "Delete this voice for good?", takeBack, { class: "quiet take-back" }),
  );
  if (!isOwn) element.style.setProperty("--hue-voice", hueOf(card.id));
  return element;
}
