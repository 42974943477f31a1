// @openai/agents in Node: a realtime session over a WebSocket.

import { readFileSync } from 'node:fs';
import { setTracingDisabled } from '@openai/agents';
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from '@openai/agents/realtime';
import { z } from 'zod';
import { Job, Loudspeaker, Microphone, Record, converse } from './conversation.mjs';

setTracingDisabled(true);
const job = Job.read();
const [microphone, loudspeaker, record] = [new Microphone(), new Loudspeaker(), new Record()];

const openingHours = tool({
  name: 'opening_hours',
  description: 'When a museum is open.',
  parameters: z.object({ museum: z.string() }),
  execute: async ({ museum }) => record.openingHours(museum),
});
const agent = new RealtimeAgent({ name: 'guide', tools: [openingHours] });
const session = new RealtimeSession(agent, { transport: new OpenAIRealtimeWebSocket({ url: job.realtimeUrl }) });

session.on('audio', (event) => loudspeaker.push(Buffer.from(event.data)));
session.on('audio_interrupted', () => loudspeaker.clear());
session.on('error', (event) => record.errors.push(JSON.stringify(event.error ?? event)));
session.on('transport_event', (event) => record.serverEvent(event));
session.transport.on('audio_transcript_delta', (event) => record.words.push(event.delta));
session.transport.on('conversation.item.input_audio_transcription.completed', (event) => record.heard.push(event.transcript));

await session.connect({ apiKey: job.key, url: job.realtimeUrl });
const stop = microphone.stream((frame) => session.sendAudio(frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.length)));
const facts = await converse(job, microphone, loudspeaker, record, async (voice) => {
  session.transport.updateSessionConfig({ audio: { output: { voice } }, tools: [] });
});
stop();
session.close();
const { version } = JSON.parse(readFileSync(new URL('node_modules/@openai/agents/package.json', import.meta.url)));
console.log(JSON.stringify({ ...facts, version }));
process.exit(0);
