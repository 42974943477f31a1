// One AudioContext for both directions, at the rate of the output device; the worklets resample.

let context = null;
const loaded = new Map();

export function audioContext() {
  if (!context || context.state === "closed") {
    context = new AudioContext({ latencyHint: "interactive" });
    loaded.clear();
  }
  return context;
}

export const hasWorklets = () => typeof AudioWorkletNode === "function" && Boolean(audioContext().audioWorklet);

export function loadWorklet(name, inContext = audioContext()) {
  const key = `${name} ${inContext.sampleRate}`;
  if (!loaded.has(key)) {
    const url = new URL(`../worklets/${name}.js`, import.meta.url);
    loaded.set(key, inContext.audioWorklet.addModule(url));
  }
  return loaded.get(key);
}

// Browsers let sound out after a click, a key or a touch only.
export async function resume() {
  const one = audioContext();
  if (one.state !== "running") {
    // Without such a gesture the promise stays open, so it is not awaited for long.
    await Promise.race([one.resume().catch(() => {}), new Promise((done) => setTimeout(done, 300))]);
  }
  return one.state === "running";
}
