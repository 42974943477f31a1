// Small helpers for elements. Text from the server becomes text nodes only, never markup.

export const $ = (id) => document.getElementById(id);

// props: `class`, `data-*`, `aria-*` and other attributes; functions under `on…` are listeners; null leaves one out
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

export function setIcon(button, name) {
  button.querySelector("use").setAttribute("href", `#icon-${name}`);
}

export function button(label, { icon: name = null, onclick, ...props } = {}) {
  return el("button", { type: "button", ...props, onclick }, name && icon(name), label && el("span", {}, label));
}

// A button for what cannot be undone: the first click asks the question, the second one acts.
export function sureButton(label, question, act, props = {}) {
  const one = button(label, {
    ...props,
    onclick: () => {
      if (words.textContent === question) act();
      else words.textContent = question;
    },
  });
  const words = one.querySelector("span");
  one.addEventListener("blur", () => {
    words.textContent = label;
  });
  return one;
}

export const seconds = (value) => (value < 10 ? `${value.toFixed(2)} s` : `${value.toFixed(1)} s`);

export const clock = (value) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;

// A link that leaves the page, or null where the address is not of the web: a document's path, or "javascript:".
export function webAddress(source) {
  try {
    const url = new URL(source);
    return url.protocol === "https:" || url.protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}

export const OWN_HUE = 172; // of the agent's own voice

// A colour for each voice, the same on every page: a hue away from the red of errors and the amber of thinking.
export function hueOf(id) {
  let hash = 2166136261;
  for (const letter of String(id)) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619);
  return 110 + ((hash >>> 0) % 240);
}

let speakSoon = null;

// Let a screen reader say something. Later words replace those of the last moment.
export function announce(text) {
  clearTimeout(speakSoon);
  speakSoon = setTimeout(() => {
    $("announcer").textContent = text;
  }, 150);
}
