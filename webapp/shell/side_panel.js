/* The side panel with the models in memory, for webapp/shell/side_panel.py.
 *
 * The header's button opens it. While it can be seen it asks for the state every few seconds; closed, or in a browser tab in
 * the background, it asks nothing. The server's answers are HTML with every value escaped.
 */
(() => {
  "use strict";
  if (window.WorkbenchSidePanel) return;
  const REFRESH_MS = 2000;

  function mount(element, server) {
    const panel = element.querySelector("aside");
    const list = element.querySelector(".list");
    const unload = element.querySelector("#unload");
    const button = document.getElementById("models-button");

    const seen = () => !panel.hidden && !document.hidden;
    const show = (html) => {
      if (list.innerHTML !== html) list.innerHTML = html;
      unload.hidden = !list.querySelector("li");
    };
    const refresh = () => seen() && server.models_html().then(show, () => {});
    const toggle = (open) => {
      panel.hidden = !open;
      button?.setAttribute("aria-expanded", open);
      if (!open) return button?.focus();
      refresh();
      panel.querySelector(".close").focus();
    };
    const free = (pressed, id) => {
      pressed.disabled = true;
      server.unload_idle(id).then(show, () => {}).finally(() => { pressed.disabled = false; });
    };

    document.addEventListener("models-panel", () => toggle(panel.hidden));
    document.addEventListener("visibilitychange", refresh);
    panel.addEventListener("keydown", (event) => event.key === "Escape" && toggle(false));
    element.querySelector(".close").addEventListener("click", () => toggle(false));
    unload.addEventListener("click", () => free(unload, ""));
    list.addEventListener("click", (event) => {
      const pressed = event.target.closest("button[data-model]");
      if (pressed) free(pressed, pressed.dataset.model);
    });
    const timer = setInterval(() => (element.isConnected ? refresh() : clearInterval(timer)), REFRESH_MS);
  }

  window.WorkbenchSidePanel = { mount };
})();
