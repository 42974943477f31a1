// Whether the server has loaded its models: until then it takes questions, and answers them later.

import { address } from "./api.js";

const AGAIN_MS = 1500;

// Events: "change". `status` is what /readyz says: ready, loading, failed or stopping; null while it is not known.
export class Readiness extends EventTarget {
  constructor() {
    super();
    this.status = null;
    this.timer = null;
  }

  // Ask until it is ready. Call it whenever a connection has been made.
  async watch() {
    clearTimeout(this.timer);
    let status = null;
    try {
      ({ status } = await (await fetch(address("readyz"), { cache: "no-store" })).json());
    } catch {
      // The connection says so itself.
    }
    if (status !== this.status) {
      this.status = status;
      this.dispatchEvent(new Event("change"));
    }
    if (status === "loading") this.timer = setTimeout(() => this.watch(), AGAIN_MS);
  }
}
