// What the page remembers of its user. A browser that refuses storage, as with blocked cookies, forgets it with the page.

const memory = new Map();

// where: "localStorage", or "sessionStorage" for as long as the tab is open
export function recall(where, key) {
  try {
    return window[where].getItem(key);
  } catch {
    return memory.get(key) ?? null;
  }
}

// value: null forgets it
export function remember(where, key, value) {
  memory.set(key, value);
  try {
    if (value === null) window[where].removeItem(key);
    else window[where].setItem(key, value);
  } catch {
    // It stays in the page's memory.
  }
}
