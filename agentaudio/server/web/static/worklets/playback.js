import { PlaybackQueue } from "./playback_queue.js";

const REPORT_S = 0.04;

class Playback extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.queue = new PlaybackQueue(processorOptions.sourceRate, sampleRate);
    this.sinceReport = 0;
    this.port.onmessage = ({ data }) => {
      if (data.do === "push") this.queue.push(data.id, data.samples);
      else if (data.do === "end") this.queue.end(data.id);
      else this.queue[data.do]();
      if (data.do === "drop") this.sinceReport = REPORT_S * sampleRate;
    };
  }

  process(_, outputs) {
    const [block, ...others] = outputs[0];
    const audible = this.queue.fill(block);
    for (const other of others) other.set(block);
    this.sinceReport += block.length;
    if (audible.length || this.sinceReport >= REPORT_S * sampleRate) {
      this.sinceReport = 0;
      const played = this.queue.report();
      if (played.length) this.port.postMessage({ audible, played });
    }
    return true;
  }
}

registerProcessor("agentaudio-playback", Playback);
