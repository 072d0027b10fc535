/* Which tab is open stands in the address (`?tab=runs`), so that a reload, a bookmark and a link land there; the server opens
 * it (`page.py`).
 */
(() => {
  "use strict";
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[role=tab][id^=tab-][id$=-button]");
    if (!button) return;
    const url = new URL(location.href);
    url.searchParams.set("tab", button.id.slice("tab-".length, -"-button".length));
    history.replaceState(history.state, "", url);
  });
})();
