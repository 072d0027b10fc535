/* The table of models on the page, for webapp/model_picker.py. Rows are picked with real checkboxes; the order of picking
 * is the order of an ensemble, so it is shown (1, 2, 3) and kept.
 *
 *   mount(element, props, watch, server)   called once by each component's js_on_load
 *
 * `props.value`:
 *   { rows: [{id, family, dim, input, params, size, here, text, command, advice}], picked: [ids], words: {...} }
 * The browser changes `picked` alone; the server reads nothing else of what comes back. Everything is built from text
 * nodes. When the visitor comes back to the browser tab (after fetching weights in a terminal), the rows are asked for anew.
 */
(() => {
  "use strict";
  if (window.WorkbenchModelPicker) return;

  const { make } = window.WorkbenchKit;

  class Picker {
    constructor(element, props, server) {
      this.root = element.querySelector(".wb-models");
      this.props = props;
      this.server = server;
    }

    get value() {
      return this.props.value ?? { rows: [], picked: [], words: {} };
    }

    build() {
      const { rows, words } = this.value;
      const open = this.root.querySelector("details")?.open ?? !rows.some((row) => row.here);
      const here = rows.filter((row) => row.here);
      const away = rows.filter((row) => !row.here);
      this.summary = make("p", { className: "wb-models-sum", ariaLive: "polite" });
      const parts = [this.summary, this.table(here, words)];
      if (away.length) {
        const more = make("details", { open }, make("summary", {}, words.away.replace("{count}", away.length)));
        more.append(make("p", { className: "wb-models-hint" }, words.away_hint), this.table(away, words));
        parts.push(more);
      }
      this.root.replaceChildren(...parts);
      this.mark();
    }

    table(rows, words) {
      const head = make("tr", {});
      for (const name of ["model", "dim", "input", "params"]) {
        head.append(make("th", { scope: "col", className: `c-${name}` }, words[name]));
      }
      const bodies = rows.map((row) => (row.here ? this.readyRow(row, words) : this.missingRow(row, words)));
      return make("table", {}, make("thead", {}, head), ...bodies);
    }

    /** One model: its figures, and below them a line over the whole width. */
    body(kind, row, name, ...below) {
      const figures = make(
        "tr",
        {},
        make("td", { className: "c-model" }, name),
        make("td", {}, String(row.dim || "–")),
        make("td", {}, String(row.input || "–")),
        make("td", {}, row.params || "–"),
      );
      const body = make("tbody", { className: kind }, figures, make("tr", {}, make("td", { colSpan: 4 }, ...below)));
      body.dataset.model = row.id;
      return body;
    }

    about(row, words) {
      const size = row.here || !row.size ? "" : words.fetch_size.replace("{size}", row.size);
      return make("small", {}, [row.family, row.text ? words.text : "", size, row.advice].filter(Boolean).join(" · "));
    }

    readyRow(row, words) {
      const box = make("input", { type: "checkbox", value: row.id });
      const place = make("span", { className: "wb-models-place", ariaHidden: "true" });
      const body = this.body("ready", row, make("label", {}, box, place, make("b", {}, row.id)), this.about(row, words));
      box.addEventListener("change", () => this.toggle(row.id, box.checked));
      body.addEventListener("click", (event) => {
        if (!event.target.closest("label")) box.click(); // the whole row is the checkbox
      });
      return body;
    }

    missingRow(row, words) {
      if (!row.command) return this.body("missing", row, make("b", {}, row.id), this.about(row, words));
      const command = make("code", { tabIndex: 0 }, row.command);
      const copy = make("button", { type: "button", className: "wb-models-copy" }, words.copy);
      copy.addEventListener("click", () => this.copy(command, copy, words));
      const line = make("span", { className: "wb-models-command" }, command, copy);
      return this.body("missing", row, make("b", {}, row.id), this.about(row, words), line);
    }

    async copy(command, button, words) {
      try {
        await navigator.clipboard.writeText(command.textContent);
      } catch {
        // No clipboard (plain http on a LAN): select the text, the visitor's own copy key does the rest.
        getSelection().selectAllChildren(command);
        return;
      }
      button.textContent = words.copied;
      setTimeout(() => (button.textContent = words.copy), 1500);
    }

    toggle(id, on) {
      const others = this.value.picked.filter((name) => name !== id);
      this.props.value = { ...this.value, picked: on ? [...others, id] : others };
      this.mark();
    }

    /** Checkmarks, places and the sum, as `picked` says. */
    mark() {
      const { rows, picked, words } = this.value;
      for (const line of this.root.querySelectorAll("tbody.ready")) {
        const place = picked.indexOf(line.dataset.model);
        line.classList.toggle("picked", place >= 0);
        line.querySelector("input").checked = place >= 0;
        line.querySelector(".wb-models-place").textContent = place >= 0 && picked.length > 1 ? String(place + 1) : "";
      }
      const dims = picked.map((id) => rows.find((row) => row.id === id)?.dim ?? 0);
      const total = dims.reduce((sum, dim) => sum + dim, 0);
      if (!dims.length) this.summary.textContent = words.none ?? "";
      else if (dims.length === 1) this.summary.textContent = words.one.replace("{dim}", total);
      else this.summary.textContent = words.several.replace("{dims}", dims.join(" + ")).replace("{dim}", total);
      this.summary.classList.toggle("is-none", !dims.length);
    }

    async refresh() {
      if (document.hidden || !this.root.isConnected) return;
      const rows = await this.server.model_rows_now();
      if (JSON.stringify(rows) === JSON.stringify(this.value.rows)) return;
      const here = new Set(rows.filter((row) => row.here).map((row) => row.id));
      this.props.value = { ...this.value, rows, picked: this.value.picked.filter((id) => here.has(id)) };
      this.build();
    }
  }

  function mount(element, props, watch, server) {
    const picker = new Picker(element, props, server);
    watch("value", () => picker.build());
    if (props.value) picker.build();
    document.addEventListener("visibilitychange", () => picker.refresh());
  }

  window.WorkbenchModelPicker = { mount };
})();
