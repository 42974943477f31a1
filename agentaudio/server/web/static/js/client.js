// The connection to /v1/realtime: events both ways, and a new connection when it is lost.

import { ServerError, address, getJson, storedKey } from "./api.js";

const BACKOFF_S = [0.5, 1, 2, 4, 8, 15];
const MOST_UNSENT = 1e6; // bytes: some 15 s of sound, so that nobody takes it at the other end
const QUIET_MS = 10000; // to wait for the answer to a request, and to the handshake

// Events: "state" {state, retry_s, error}: connecting, open, waiting (for the next attempt), refused; "server" with an
// event of the server; "client" with an event that was sent.
export class RealtimeClient extends EventTarget {
  constructor() {
    super();
    this.socket = null;
    this.attempts = 0;
    this.timer = null;
    this.model = null;
    this.wanted = false;
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    this.wanted = true;
    clearTimeout(this.timer);
    if (this.socket) return;
    this.attempt();
  }

  close() {
    this.wanted = false;
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }

  async attempt() {
    this.tell("connecting");
    // A handshake that fails gives a page no reason, so a plain request asks for it first.
    try {
      const models = await getJson("v1/models", { signal: AbortSignal.timeout(QUIET_MS) });
      this.model = models.data?.[0]?.id ?? "agent";
    } catch (error) {
      if (error.status === 401 || error.status === 403) this.tell("refused", { error });
      else this.later(error);
      return;
    }
    if (!this.wanted || this.socket) return;
    const url = new URL(address("v1/realtime"));
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.search = new URLSearchParams({ model: this.model, agentaudio: "1" });
    const protocols = ["realtime"];
    if (storedKey()) protocols.push(`openai-insecure-api-key.${storedKey()}`);
    const socket = new WebSocket(url, protocols);
    this.socket = socket;
    const slow = setTimeout(() => socket.close(), QUIET_MS);
    socket.onopen = () => {
      clearTimeout(slow);
      this.attempts = 0;
      this.tell("open");
    };
    socket.onmessage = ({ data }) => {
      let event;
      try {
        event = JSON.parse(data);
      } catch {
        return;
      }
      this.dispatchEvent(new CustomEvent("server", { detail: event }));
    };
    socket.onclose = ({ reason }) => {
      clearTimeout(slow);
      this.socket = null;
      this.later(new ServerError(reason || "The connection to the server was lost.", 0));
    };
  }

  later(error) {
    if (!this.wanted) return;
    const base = BACKOFF_S[Math.min(this.attempts, BACKOFF_S.length - 1)];
    this.attempts += 1;
    const retry_s = base * (0.8 + 0.4 * Math.random());
    this.tell("waiting", { retry_s, error });
    this.timer = setTimeout(() => this.attempt(), retry_s * 1000);
  }

  // A new connection at once, and with it a new session.
  restart() {
    this.attempts = 0;
    if (!this.socket) {
      this.retryNow();
      return;
    }
    this.leave();
    this.attempt();
  }

  // Nothing more is heard of the connection, although closing it may take long.
  leave() {
    const { socket } = this;
    socket.onmessage = socket.onopen = socket.onclose = null;
    socket.close(1000);
    this.socket = null;
  }

  retryNow() {
    clearTimeout(this.timer);
    this.attempts = 0;
    this.connect();
  }

  tell(state, detail = {}) {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...detail } }));
  }

  // Returns whether the event could be sent.
  send(event) {
    if (!this.isOpen) return false;
    if (this.socket.bufferedAmount > MOST_UNSENT) {
      this.leave();
      this.later(new ServerError("The connection takes nothing any more.", 0));
      return false;
    }
    this.socket.send(JSON.stringify(event));
    this.dispatchEvent(new CustomEvent("client", { detail: event }));
    return true;
  }
}
