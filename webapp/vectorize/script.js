/* The Vectorize tab.
 *
 *   mountHits(element, trigger)   a click on a hit of the search triggers `click` with {row}
 */
(() => {
  "use strict";
  if (window.WorkbenchVectorize) return;

  function mountHits(element, trigger) {
    element.addEventListener("click", (event) => {
      const hit = event.target.closest("[data-row]");
      if (hit) trigger("click", { row: Number(hit.dataset.row) });
    });
  }

  window.WorkbenchVectorize = { mountHits };
})();
