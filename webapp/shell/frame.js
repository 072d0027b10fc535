/* The header's switches, for webapp/shell/frame.py. What they need to know stands in the header's own attributes. */
(() => {
  "use strict";
  if (window.WorkbenchFrame) return;

  function mount(element) {
    const { languageCookie, themeCookie, maxAge, question } = element.querySelector("header").dataset;
    const remember = (name, value) => {
      document.cookie = `${name}=${value}; path=/; max-age=${maxAge}; samesite=lax`;
    };
    const chinese = () => document.documentElement.lang.startsWith("zh");

    // Another language is another page: say so before anything dropped or computed here is lost.
    let touched = false;
    for (const event of ["change", "drop", "paste"]) document.addEventListener(event, () => { touched = true; }, true);
    document.addEventListener("click", (event) => { touched ||= !!event.target.closest(".tabitem button"); }, true);

    element.querySelector("#language").addEventListener("click", () => {
      if (touched && !confirm(JSON.parse(question)[chinese() ? "zh" : "en"])) return;
      remember(languageCookie, chinese() ? "en" : "zh");
      location.reload();
    });
    element.querySelector("#theme").addEventListener("click", () => {
      remember(themeCookie, document.body.classList.toggle("dark") ? "dark" : "light");
    });
    element.querySelector("#models-button").addEventListener("click", () => {
      document.dispatchEvent(new CustomEvent("models-panel"));
    });
  }

  window.WorkbenchFrame = { mount };
})();
