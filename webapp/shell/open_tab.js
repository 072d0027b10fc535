/* Which tab is open stands in the address (`?tab=runs`): a reload, a bookmark and a link land there. */
(() => {
  "use strict";
  const NAME = "tab";
  const TRIES = 100;
  const EVERY_MS = 100;

  const buttonOf = (tab) => document.getElementById(`tab-${tab}-button`);
  const wanted = () => {
    const query = new URLSearchParams(location.search);
    return query.get(NAME) ?? (query.has("runs") ? "runs" : null); // a link to runs names no tab
  };

  function remember(tab) {
    const url = new URL(location.href);
    url.searchParams.set(NAME, tab);
    history.replaceState(history.state, "", url);
  }

  // Gradio draws the tabs some time after the page has come, and attaches their handlers a moment later still: press until
  // the tab is open. A person who presses one meanwhile is right.
  function open(tab, triesLeft) {
    const button = buttonOf(tab);
    if (button?.getAttribute("aria-selected") === "true") return;
    if (button) button.click();
    if (triesLeft) timer = setTimeout(open, EVERY_MS, tab, triesLeft - 1);
  }

  let timer = null;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[role=tab][id^=tab-][id$=-button]");
    if (!button) return;
    if (event.isTrusted) clearTimeout(timer);
    const tab = button.id.slice("tab-".length, -"-button".length);
    // The overflow menu of a narrow window has buttons of its own; what counts is what is open afterwards.
    if (event.isTrusted) setTimeout(remember, 0, tab);
  });
  if (wanted()) open(wanted(), TRIES);
})();
