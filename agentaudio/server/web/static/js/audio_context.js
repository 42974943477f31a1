// One AudioContext for both directions, at the rate of the output device; the worklets resample.

let context = null;
const loaded = new WeakMap(); // context -> name -> promise

export function audioContext() {
  if (!context || context.state === "closed") {
    context = new AudioContext({ latencyHint: "interactive" });
  }
  return context;
}

export const hasWorklets = () => typeof AudioWorkletNode === "function" && Boolean(audioContext().audioWorklet);

// Every context loads a worklet for itself. One that could not be loaded is tried again at the next call.
export async function loadWorklet(name, inContext = audioContext()) {
  if (!loaded.has(inContext)) loaded.set(inContext, new Map());
  const modules = loaded.get(inContext);
  if (!modules.has(name)) modules.set(name, inContext.audioWorklet.addModule(new URL(`../worklets/${name}.js`, import.meta.url)));
  try {
    await modules.get(name);
  } catch (error) {
    modules.delete(name);
    throw error;
  }
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
