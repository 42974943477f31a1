// What spoken_conversation.py is for Python: a microphone, a loudspeaker, and what is said when.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const RATE_HZ = 24_000;
const FRAME_MS = 20;
const FRAME_BYTES = 2 * RATE_HZ * FRAME_MS / 1000;
const QUIET_MS = 1_500;
const TURN_MS = 60_000 * Number(process.env.PATIENCE ?? 1);
const WORDS_MS = 1_000;
const INTERRUPTED_AFTER_S = 1.5;
const HEADER_BYTES = 44;
const HOURS = 'The national museum is open until the evening.';

export class Job {
  constructor(given) {
    Object.assign(this, given);
  }

  static read() {
    return new Job(JSON.parse(process.argv[2]));
  }

  get realtimeUrl() {
    return `ws${this.url.slice('http'.length)}/v1/realtime?model=agent`;
  }

  /** A question as 16-bit samples at 24 kHz. */
  sound(name) {
    return readFileSync(this.sounds[name]).subarray(HEADER_BYTES);
  }

  /** Writes sound to a WAV file; returns its path. */
  keep(name, pcm) {
    const header = Buffer.alloc(HEADER_BYTES);
    header.write('RIFF', 0);
    header.writeUInt32LE(36 + pcm.length, 4);
    header.write('WAVEfmt ', 8);
    header.writeUInt32LE(16, 16);
    header.writeUInt16LE(1, 20);
    header.writeUInt16LE(1, 22);
    header.writeUInt32LE(RATE_HZ, 24);
    header.writeUInt32LE(2 * RATE_HZ, 28);
    header.writeUInt16LE(2, 32);
    header.writeUInt16LE(16, 34);
    header.write('data', 36);
    header.writeUInt32LE(pcm.length, 40);
    const file = join(this.folder, `${name}.wav`);
    writeFileSync(file, Buffer.concat([header, pcm]));
    return file;
  }
}

/** Calls work for each 20 ms that pass, also after a delay. Returns what stops it. */
function everyFrame(work) {
  let due = performance.now();
  const timer = setInterval(() => {
    due = Math.max(due, performance.now() - 200);
    for (; due <= performance.now(); due += FRAME_MS) work();
  }, FRAME_MS / 2);
  return () => clearInterval(timer);
}

/** Frames of 20 ms in real time: what is said, and silence between. */
export class Microphone {
  #waiting = Buffer.alloc(0);

  say(pcm) {
    this.#waiting = Buffer.concat([this.#waiting, pcm]);
  }

  stream(send) {
    return everyFrame(() => {
      const frame = Buffer.alloc(FRAME_BYTES);
      this.#waiting.copy(frame, 0, 0, FRAME_BYTES);
      this.#waiting = this.#waiting.subarray(FRAME_BYTES);
      send(frame);
    });
  }
}

/** Plays sound in real time, and remembers what was heard. */
export class Loudspeaker {
  #waiting = Buffer.alloc(0);
  #heard = [];
  #last = 0;
  cleared = 0;

  push(pcm) {
    this.#waiting = Buffer.concat([this.#waiting, pcm]);
  }

  clear() {
    this.#waiting = Buffer.alloc(0);
    this.cleared += 1;
  }

  get heardS() {
    return this.#heard.reduce((sum, frame) => sum + frame.length, 0) / (2 * RATE_HZ);
  }

  get quietMs() {
    return performance.now() - this.#last;
  }

  take() {
    return Buffer.concat(this.#heard.splice(0));
  }

  play() {
    return everyFrame(() => {
      const frame = this.#waiting.subarray(0, FRAME_BYTES);
      this.#waiting = this.#waiting.subarray(FRAME_BYTES);
      if (frame.length) {
        this.#heard.push(frame);
        this.#last = performance.now();
      }
    });
  }
}

/** What a client has received. */
export class Record {
  words = [];
  heard = [];
  calls = [];
  errors = [];
  voices = [];
  busy = false;

  openingHours(museum) {
    this.calls.push({ museum });
    return HOURS;
  }

  serverEvent(event) {
    if (event.type === 'session.created' || event.type === 'session.updated') {
      this.voices.push(event.session.audio.output.voice);
    } else if (event.type === 'response.output_audio_transcript.done') {
      this.words.push(' ');
    } else if (event.type === 'response.created' || event.type === 'response.done') {
      this.busy = event.type === 'response.created';
    }
  }

  takeWords() {
    return this.words.splice(0).join('').split(/\s+/).join(' ').trim();
  }
}

/** Holds the conversation of spoken_conversation.converse; returns the same facts. */
export async function converse(job, microphone, loudspeaker, record, changeVoice) {
  const facts = {};
  const stop = loudspeaker.play();
  const isQuiet = () => !record.busy && loudspeaker.quietMs > QUIET_MS;

  async function asked(name, question) {
    microphone.say(job.sound(question));
    await until(() => loudspeaker.heardS > 0 && (name !== 'call' || record.calls.length), `answer to ${question}`);
    if (name === 'call') {
      const before = loudspeaker.heardS;
      await until(() => loudspeaker.heardS > before, 'answer with the result of the call');
    }
    await until(isQuiet, `end of the answer to ${question}`);
    facts[name] = { words: record.takeWords(), sound: job.keep(name, loudspeaker.take()) };
  }

  try {
    await asked('call', 'museum');
    facts.call.calls = [...record.calls];

    microphone.say(job.sound('story'));
    await until(() => loudspeaker.heardS > INTERRUPTED_AFTER_S, 'a long answer');
    const cleared = loudspeaker.cleared;
    const spokenAt = performance.now();
    microphone.say(job.sound('interruption'));
    await until(() => loudspeaker.cleared > cleared, 'the client notices the interruption');
    facts.interruption = {
      noticed_after_s: Math.round(performance.now() - spokenAt) / 1000,
      sound: job.keep('interruption', loudspeaker.take()),
    };
    await sleep(WORDS_MS);
    facts.interruption.words = record.takeWords();
    await until(() => loudspeaker.heardS > 0, 'answer to the interruption');
    await until(isQuiet, 'its end');
    facts.after = { words: record.takeWords(), sound: job.keep('after', loudspeaker.take()) };

    await asked('wish', 'wish');
    await changeVoice(job.voice);
    await asked('voice', 'moon');
  } catch (error) {
    record.errors.push(String(error));
  } finally {
    stop();
  }
  const { heard, errors, voices } = record;
  return { ...facts, heard, errors, voices };
}

async function until(condition, what) {
  const end = performance.now() + TURN_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${TURN_MS / 1000} s for: ${what}`);
    await sleep(10);
  }
}
