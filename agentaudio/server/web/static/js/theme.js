// Light, dark, or as the system has it. A plain script in the head, so that the page never flashes in the wrong one.
(() => {
  const KEY = "agentaudio-theme";
  const root = document.documentElement;
  let stored = null;
  try {
    stored = localStorage.getItem(KEY);
  } catch {
    // Storage may be refused; the system's theme is used then.
  }
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => {
      const text = now() === "dark" ? "Use light colours" : "Use dark colours";
      button.setAttribute("aria-label", text);
      button.title = text;
      dispatchEvent(new Event("themechange"));
    };
    button.addEventListener("click", () => {
      const next = now() === "dark" ? "light" : "dark";
      root.dataset.theme = next;
      try {
        localStorage.setItem(KEY, next);
      } catch {
        // As above.
      }
      show();
    });
    dark.addEventListener("change", show);
    show();
  });
})();
