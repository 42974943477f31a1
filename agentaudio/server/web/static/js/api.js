// Requests to this server, and the API key where it wants one.

import { recall, remember } from "./storage.js";

const KEY = "agentaudio-key";

export class ServerError extends Error {
  constructor(message, status, code = null) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function storedKey() {
  return recall("sessionStorage", KEY);
}

export function storeKey(key) {
  remember("sessionStorage", KEY, key || null);
}

export const address = (path) => new URL(path, document.baseURI).href;

// Raises ServerError with the server's own words; status 0 means that it did not answer.
export async function request(path, options = {}) {
  const headers = new Headers(options.headers);
  if (storedKey()) headers.set("Authorization", `Bearer ${storedKey()}`);
  let response;
  try {
    response = await fetch(address(path), { cache: "no-store", ...options, headers });
  } catch {
    throw new ServerError("The server does not answer.", 0);
  }
  if (response.ok) return response;
  let error = null;
  try {
    ({ error } = await response.json());
  } catch {
    // Not the server's own error: a proxy's page, for example.
  }
  throw new ServerError(error?.message ?? `The server answered ${response.status}.`, response.status, error?.code);
}

export const getJson = async (path, options = {}) => (await request(path, options)).json();
