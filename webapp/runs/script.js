/* The Runs tab's own parts, for parts.py. Everything is built from text nodes.
 *
 *   bar(element, props, trigger, watch)     live or paused, and the link to this view
 *   table(element, props, trigger, watch)   the runs: sorted by a click on a heading, ticked to take part
 *   saves(element, plotId)                  a chart as PNG, SVG or one HTML file
 *   files(element, trigger)                 a table as a file, made by the server
 *
 * Why the beat is here and not a gr.Timer: that goes on ticking, and asking the server, while its tab is hidden or the
 * whole browser window is; and it asks again before the last answer has come.
 */
(() => {
  "use strict";
  if (window.WorkbenchRuns) return;

  const { make } = window.WorkbenchKit;

  // ------------------------------------------------------------------ live, and the link

  /**
   * `props.value`: { query: of the link, every_s: seconds between two looks, beat: number of the last answer }.
   * Triggers `select` with the page's query when the tab is first seen, then `click` at every beat.
   */
  function bar(element, props, trigger, watch) {
    const root = element.querySelector(".rn-bar");
    const live = root.querySelector(".rn-live");
    const link = root.querySelector(".rn-link");
    let opened = false;
    let paused = false;
    let askedAt = 0;
    let waiting = false;

    const value = () => props.value ?? {};
    const seen = () => root.isConnected && root.offsetParent !== null && !document.hidden;

    function look() {
      if (!seen()) return;
      const now = performance.now();
      if (!opened) {
        opened = true;
        askedAt = now;
        waiting = true;
        trigger("select", { query: location.search });
      } else if (!paused && (!waiting || now - askedAt > 60_000) && now - askedAt > 1000 * (value().every_s ?? 5)) {
        askedAt = now;
        waiting = true;
        trigger("click", {});
      }
    }

    live.addEventListener("click", () => {
      paused = !paused;
      live.setAttribute("aria-pressed", String(!paused));
      root.classList.toggle("is-paused", paused);
    });
    link.addEventListener("click", async () => {
      const url = `${location.origin}${location.pathname}?runs&${value().query ?? ""}`;
      history.replaceState(null, "", url); // where there is no clipboard, the address itself is the link
      try {
        await navigator.clipboard.writeText(url);
      } catch {
        // Plain http on a LAN: the address bar has it.
      }
      root.classList.add("is-copied");
      setTimeout(() => root.classList.remove("is-copied"), 1800);
    });
    watch("value", () => {
      waiting = false;
      askedAt = performance.now();
    });
    setInterval(look, 500);
  }

  // ------------------------------------------------------------------ the table

  /**
   * `props.value`: { folder, columns: [names], rows: [{id, colour, status, note, cells: [texts], keys: [to sort by]}],
   *                  hidden: [ids], words }
   * The browser changes `hidden` alone, and then triggers `select`.
   */
  function table(element, props, trigger, watch) {
    const root = element.querySelector(".rn-runs");
    let folder = null;
    let sort = { column: -1, down: false };
    let hidden = new Set();

    const value = () => props.value ?? { columns: [], rows: [], hidden: [], words: {} };

    function tick(ids, on) {
      for (const id of ids) {
        if (on) hidden.delete(id);
        else hidden.add(id);
      }
      props.value = { ...value(), hidden: [...hidden] };
      marks();
      trigger("select", {});
    }

    function marks() {
      for (const row of root.querySelectorAll("tbody tr[data-id]")) {
        const on = !hidden.has(row.dataset.id);
        row.classList.toggle("is-off", !on);
        row.querySelector("input").checked = on;
      }
      const all = root.querySelector("thead input");
      if (!all) return;
      const on = value().rows.filter((row) => !hidden.has(row.id)).length;
      all.checked = on > 0;
      all.indeterminate = on > 0 && on < value().rows.length;
    }

    function sorted(rows) {
      if (sort.column < 0) return rows;
      const sign = sort.down ? -1 : 1;
      return [...rows].sort((a, b) => {
        const [x, y] = [a.keys[sort.column], b.keys[sort.column]];
        if (x === "" || y === "") return (x === "") - (y === ""); // nothing is always last
        if (typeof x === "number" && typeof y === "number") return sign * (x - y);
        return sign * String(x).localeCompare(String(y), undefined, { numeric: true });
      });
    }

    function build() {
      const { columns, rows, words } = value();
      const scroll = root.querySelector(".rn-scroll");
      const [top, left] = scroll ? [scroll.scrollTop, scroll.scrollLeft] : [0, 0];
      const all = make("input", { type: "checkbox", ariaLabel: words.all ?? "" });
      all.addEventListener("change", () => tick(rows.map((row) => row.id), all.checked));
      const head = make("tr", {}, make("th", {}, all));
      columns.forEach((name, column) => {
        const button = make("button", { type: "button" }, name);
        const numbers = rows.length > 0 && typeof rows[0].keys[column] === "number";
        const cell = make("th", { scope: "col", className: numbers ? "is-number" : "" }, button);
        if (column === sort.column) cell.ariaSort = sort.down ? "descending" : "ascending";
        button.addEventListener("click", () => {
          sort = { column, down: sort.column === column ? !sort.down : false };
          build();
        });
        head.append(cell);
      });
      const body = make("tbody");
      for (const row of sorted(rows)) {
        const box = make("input", { type: "checkbox", ariaLabel: row.cells[0] });
        box.addEventListener("change", () => tick([row.id], box.checked));
        const line = make("tr", { title: row.note }, make("td", {}, box));
        line.dataset.id = row.id;
        row.cells.forEach((text, column) => {
          const cell = make("td", { className: typeof row.keys[column] === "number" ? "is-number" : "" });
          if (column === 0) {
            const dot = make("i", { className: "rn-dot" });
            dot.style.background = row.colour;
            cell.append(dot);
          }
          if (column === 1) cell.className = `rn-status ${row.status}`;
          cell.append(text);
          line.append(cell);
        });
        body.append(line);
      }
      if (!rows.length) body.append(make("tr", {}, make("td", { colSpan: columns.length + 1 }, words.none ?? "")));
      const held = make("div", { className: "rn-scroll" }, make("table", {}, make("thead", {}, head), body));
      root.replaceChildren(make("p", { className: "wb-hint" }, words.count ?? ""), held);
      held.scrollTo(left, top);
      marks();
    }

    function update() {
      // An answer that was under way while a box was ticked does not untick it; another folder starts afresh.
      if (value().folder !== folder) {
        folder = value().folder;
        sort = { column: -1, down: false };
        hidden = new Set(value().hidden);
      }
      build();
    }

    let last = null;
    watch("value", () => {
      const { rows, columns, words, folder: name } = value();
      const now = JSON.stringify([rows, columns, words, name]);
      if (now === last) return; // only our own ticks
      last = now;
      update();
    });
    if (props.value) update();
  }

  // ------------------------------------------------------------------ to take away

  function save(blob, name) {
    const url = URL.createObjectURL(blob);
    window.WorkbenchKit.download(url, name);
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  /** The chart on white, in dark ink, as paper wants it, whatever the page wears. */
  function onPaper(box) {
    const layout = JSON.parse(JSON.stringify(box.layout));
    delete layout.width;
    delete layout.height;
    const full = box._fullLayout;
    for (const key of Object.keys(layout)) {
      if (!/^[xy]axis\d*$/.test(key)) continue;
      layout[key] = { ...layout[key], gridcolor: "#e2e8f0", linecolor: "#94a3b8", tickcolor: "#94a3b8", autorange: false };
      if (full[key]) layout[key].range = [...full[key].range]; // what is in view
    }
    return {
      data: box.data,
      layout: {
        ...layout,
        paper_bgcolor: "#fff",
        plot_bgcolor: "#fff",
        font: { ...layout.font, color: "#1e293b" },
        hoverlabel: { ...layout.hoverlabel, bgcolor: "#fff", font: { color: "#1e293b" } },
      },
    };
  }

  function saves(element, plotId) {
    element.addEventListener("click", async (event) => {
      const kind = event.target.closest("[data-save]")?.dataset.save;
      const box = document.querySelector(`#${plotId} .wb-plot`);
      if (!kind || !box?.data?.length) return;
      const name = plotId.replace(/^rn-/, "");
      const figure = onPaper(box);
      const size = { width: box.clientWidth, height: box.clientHeight };
      if (kind === "html") {
        const script = await (await fetch(box.dataset.plotly)).text();
        const json = JSON.stringify(figure).replaceAll("<", "\\u003c");
        // Its makers' button would upload the chart.
        const config = '{responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: ""}';
        const page =
          `<!doctype html><html lang="en"><meta charset="utf-8"><title>${name}</title><body style="margin:0">` +
          `<div id="chart" style="width:100vw;height:100vh"></div><script>${script}</script>` +
          `<script>const {data, layout} = ${json}; Plotly.newPlot("chart", data, layout, ${config});</script>`;
        save(new Blob([page], { type: "text/html" }), `${name}.html`);
      } else {
        const scale = kind === "png" ? 2 : 1;
        const url = await window.Plotly.toImage(figure, { format: kind, ...size, scale });
        save(await (await fetch(url)).blob(), `${name}.${kind}`);
      }
    });
  }

  function files(element, trigger) {
    element.addEventListener("click", (event) => {
      const kind = event.target.closest("[data-save]")?.dataset.save;
      if (kind) trigger("click", { kind });
    });
  }

  window.WorkbenchRuns = { bar, table, saves, files };
})();
