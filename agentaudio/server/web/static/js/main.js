// Puts the page together.

import { EventLog, saveFile } from "./log.js";
import { KeyDialog, Settings } from "./settings.js";
import { PROBLEMS } from "./microphone.js";
import { Replay } from "./replay.js";
import { Rings } from "./rings.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { Transcript } from "./transcript.js";
import { VoiceBrowser } from "./voices.js";
import { resume } from "./audio_context.js";
import { banner, clearBanner } from "./banners.js";
import { join, wav } from "./sound.js";
import { recall, remember } from "./storage.js";
import { $, setIcon } from "./dom.js";
import { welcome } from "./welcome.js";

const MODE = "agentaudio-mode";
const QUIET_ERRORS = new Set(["response_cancel_not_active", "input_audio_buffer_commit_empty", "conversation_already_has_active_response"]);

const session = new Session();
const { client, conversation, microphone, player } = session;
const replay = new Replay();
const log = new EventLog();
const transcript = new Transcript(conversation, replay);
const keyDialog = new KeyDialog(() => client.retryNow());
new Settings(microphone, { changedKey: () => client.restart() });
const voices = new VoiceBrowser({ replay, session });

const stage = new Stage(
  {
    press: () => {
      if (letOut) return;
      replay.stop();
      player.start();
      session.press();
    },
    release: () => session.release(),
    tap,
    mode: (mode) => {
      remember("localStorage", MODE, mode);
      stage.setMode(mode);
      session.setMode(mode);
      if (mode === "free" && microphone.state === "on") microphone.stop();
    },
    mute: () => session.setMuted(!session.muted),
    stop: () => session.stopAnswer(),
  },
  replay,
);

let letOut = false; // the latest click or key let the sound out, and does nothing else

const rings = new Rings($("rings"), () => {
  if (session.state === "speaking") return { analyser: player.analyser };
  if (session.state === "listening") return { analyser: microphone.analyser };
  return { analyser: null };
});

async function tap() {
  player.start();
  replay.stop();
  const { state } = session;
  if (state === "error") client.retryNow();
  else if (state === "held" || letOut) return;
  else if (state === "speaking" || (state === "thinking" && microphone.state === "on")) session.stopAnswer();
  else if (microphone.state === "on" || microphone.state === "lost") microphone.stop();
  else if (microphone.state === "off" && (await microphone.start())) session.setMuted(false);
}

function send(text) {
  const words = text.trim();
  if (!words) return false;
  replay.stop();
  return session.say(words);
}

function hint(state) {
  const { conversation: said, mode } = session;
  const isOn = microphone.state === "on";
  const running = said.active?.tools.filter((tool) => tool.status === "running").at(-1);
  switch (state) {
    case "connecting":
      return "Looking for the server.";
    case "error":
      return session.connection.state === "refused" ? "The server wants an API key." : "The server does not answer.";
    case "loading":
      return "The models are being loaded. You can ask already; the first answer takes longer.";
    case "thinking":
      if (!running && session.readiness.status === "loading") return "The models are being loaded first.";
      return running ? `Using ${running.call.name} …` : "";
    case "held":
      return "The answer is here. The browser lets its sound out when you tap.";
    case "speaking":
      return isOn && mode === "free" ? "Interrupt it just by speaking." : "";
    case "listening":
      return mode === "press" ? "Let go when you have finished." : "Speak as you would to a person.";
    default:
      if (session.muted && isOn) return "The microphone is muted.";
      return mode === "press" ? "Hold the circle or the space bar while you speak." : "Tap the circle and speak, or write.";
  }
}

function actions(state) {
  const isOn = microphone.state !== "off";
  if (state === "error") return ["Try now", "Try to connect now"];
  if (state === "connecting") return ["", "Please wait"];
  if (state === "held") return ["Tap to hear", "Play the answer"];
  if (session.mode === "press") {
    if (state === "speaking") return ["Hold to interrupt", "Hold to interrupt and talk"];
    return session.pressed ? ["Let go to send", "Let go to send"] : ["Hold to talk", "Hold to talk"];
  }
  if (state === "speaking" || (state === "thinking" && isOn)) return ["Tap to stop", "Stop the answer"];
  if (isOn) return ["Tap to rest", "Turn the microphone off"];
  return ["Tap to talk", "Turn the microphone on"];
}

function draw() {
  const { state } = session;
  const [action, label] = actions(state);
  const isOn = session.mode === "free" && microphone.state !== "off";
  stage.show(state, {
    action,
    label,
    hint: hint(state),
    micOn: isOn,
    micIcon: state === "error" ? "alert" : microphone.problem && microphone.state !== "on" ? "mic-off" : "mic",
    muted: session.muted,
    canStop: state === "speaking" || (state === "thinking" && Boolean(conversation.active)),
  });
  if (rings.state !== state) rings.show(state);
  else rings.wake();
  $("welcome").hidden = conversation.entries.length > 0;
  $("after").hidden = !conversation.entries.some((entry) => entry.sound?.length || entry.text);
  $("send").disabled = !session.isSetUp || !$("message").value.trim();
}

session.addEventListener("change", draw);
session.addEventListener("restored", ({ detail }) => {
  if (detail.count) conversation.note("Connected again. The agent was given what had been said.");
});
for (const name of ["added", "changed", "removed"]) conversation.addEventListener(name, draw);

conversation.addEventListener("session", ({ detail }) => {
  $("model").textContent = detail.session.model ?? "";
  welcome(detail.session.agentaudio?.tools?.map(({ name }) => name) ?? null, send);
});
conversation.addEventListener("voice", ({ detail }) => {
  stage.showVoice(detail.voice);
  voices.showCurrent(detail.voice);
});
conversation.addEventListener("problem", ({ detail }) => {
  if (!QUIET_ERRORS.has(detail.code)) banner("server-error", { title: "The server reports an error", help: detail.message });
});

session.readiness.addEventListener("change", () => {
  if (session.readiness.status !== "failed") clearBanner("loading");
  else banner("loading", { title: "The models could not be loaded", help: "The log of the server says why. Answers will fail until then." });
});

let countdown = null;
client.addEventListener("state", ({ detail }) => {
  clearInterval(countdown);
  if (detail.state === "open") {
    clearBanner("connection");
    clearBanner("server-error");
  } else if (detail.state === "refused") {
    clearBanner("connection");
    if (detail.error.status === 401) keyDialog.ask();
    else banner("connection", { title: "The server refused this page", help: detail.error.message, dismiss: false });
  } else if (detail.state === "waiting") {
    const until = performance.now() + detail.retry_s * 1000;
    const say = () => `${detail.error.message} Trying again in ${Math.max(0, Math.ceil((until - performance.now()) / 1000))} s.`;
    const shown = banner("connection", {
      title: "No connection to the server",
      help: say(),
      actions: [{ label: "Try now", onclick: () => client.retryNow() }],
      dismiss: false,
    });
    countdown = setInterval(() => {
      shown.querySelector("p").textContent = say();
    }, 1000);
  }
});
client.addEventListener("server", ({ detail }) => log.add("in", detail));
client.addEventListener("client", ({ detail }) => log.add("out", detail));

microphone.addEventListener("problem", ({ detail }) => {
  clearBanner("microphone");
  if (!detail.kind) return;
  const { title, help } = PROBLEMS[detail.kind];
  const again = { label: "Try again", onclick: () => tap() };
  const canTry = ["refused", "missing", "busy", "failed"].includes(detail.kind);
  banner("microphone", { title, help: help(), actions: canTry ? [again] : [] });
});

player.addEventListener("suspended", () =>
  banner("sound", {
    title: "The browser holds the sound back",
    help: "It waits for a tap. The answer then begins where you have not heard it.",
    actions: [{ label: "Play the answer", onclick: () => resume() }],
    tone: "hint",
    dismiss: false,
  }),
);
player.addEventListener("running", () => clearBanner("sound"));
// Any click or key lets the sound out, not only the button for it; and an output that runs already adds no delay later.
for (const name of ["pointerdown", "keydown"]) {
  addEventListener(name, () => {
    letOut = session.state === "held";
    player.start();
  }, { capture: true });
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) player.check();
});
addEventListener("pageshow", ({ persisted }) => persisted && client.retryNow());
addEventListener("online", () => client.connect());

replay.addEventListener("change", () => session.setPaused(replay.isOn || $("voices").open));
replay.addEventListener("failed", ({ detail }) => banner("replay", { title: "This cannot be played", help: detail.message }));

const message = $("message");
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (send(message.value)) message.value = "";
  draw();
});
message.addEventListener("input", draw);
message.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
});

const everything = () => wav(join(conversation.entries.filter((entry) => entry.sound?.length).map((entry) => entry.sound)));
$("replay-all").addEventListener("click", () =>
  replay.toggle("all", async () => everything(), (on) => setIcon($("replay-all"), on ? "pause" : "play")),
);
$("save-all").addEventListener("click", () => saveFile(everything(), "conversation.wav"));
$("restart").addEventListener("click", () => {
  replay.stop();
  session.restart();
  transcript.clear();
  draw();
});

const mode = recall("localStorage", MODE) === "press" ? "press" : "free";
stage.setMode(mode);
session.mode = mode;
welcome(null, send);
draw();
client.connect();
