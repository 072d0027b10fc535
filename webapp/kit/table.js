/* The rows of a result, for webapp/kit/table.py. Everything is built from text nodes.
 *
 *   mount(element, props, trigger, watch)
 *
 * `props.value`: { headings: [texts], cells: [[text, number or null]], widths: [css] }. A click on a heading sorts (numbers
 * by value, what is empty always last), a second click the other way round; a click on a row, or Enter, triggers `select`
 * with {row}: its place in `cells`.
 */
(() => {
  "use strict";
  if (window.WorkbenchTable) return;
  const { make } = window.WorkbenchKit;

  const PORTION = 200; // rows drawn at once; the next ones when the last come near
  const NEAR_PX = 600;

  const empty = (cell) => cell === null || cell === "";

  function order(cells, column, down) {
    const rows = cells.map((_, row) => row);
    if (column < 0) return rows;
    const sign = down ? -1 : 1;
    return rows.sort((a, b) => {
      const [x, y] = [cells[a][column], cells[b][column]];
      if (empty(x) || empty(y)) return empty(x) - empty(y) || a - b;
      const both = typeof x === "number" && typeof y === "number";
      return sign * (both ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true })) || a - b;
    });
  }

  function mount(element, props, trigger, watch) {
    const root = element.querySelector(".wb-table");
    const copy = element.querySelector(".wb-table-copy");
    let sort = { column: -1, down: false };
    let headings = "";
    let rows = []; // their places in `cells`, in the order shown

    // Gradio's own empty value may stand there when the table is mounted before its rows arrive.
    const value = () => (props.value?.headings ? props.value : { headings: [], cells: [], widths: [] });

    function heading(text, column) {
      const button = make("button", { type: "button", textContent: text });
      button.addEventListener("click", () => {
        sort = { column, down: sort.column === column && !sort.down };
        draw();
      });
      const first = value().cells[0]?.[column];
      const cell = make("th", { scope: "col", className: typeof first === "number" ? "number" : "" }, button);
      if (sort.column === column) cell.ariaSort = sort.down ? "descending" : "ascending";
      if (value().widths[column]) cell.style.width = value().widths[column];
      return cell;
    }

    function line(row, place) {
      const cells = value().cells[row].map((cell, column) => {
        const node = make("td", { textContent: cell ?? "", className: typeof cell === "number" ? "number" : "" });
        node.dataset.testid = `cell-${place}-${column}`;
        return node;
      });
      const node = make("tr", { tabIndex: 0 }, ...cells);
      node.dataset.row = row;
      return node;
    }

    /** The next rows, if there are any and the last drawn are near. */
    function goOn() {
      const body = root.querySelector("tbody");
      if (!body || root.scrollTop + root.clientHeight < root.scrollHeight - NEAR_PX) return;
      const place = body.rows.length;
      body.append(...rows.slice(place, place + PORTION).map((row, number) => line(row, place + number)));
    }

    function draw() {
      const { headings: names, cells } = value();
      if (names.join("\t") !== headings) sort = { column: -1, down: false }; // another table
      headings = names.join("\t");
      copy.hidden = !cells.length;
      rows = order(cells, sort.column, sort.down);
      const head = make("thead", {}, make("tr", {}, ...names.map(heading)));
      root.replaceChildren(...(names.length ? [make("table", {}, head, make("tbody"))] : []));
      root.scrollTop = 0;
      goOn();
    }

    function choose(target) {
      const row = target.closest("tr[data-row]");
      if (!row) return;
      for (const other of root.querySelectorAll("tr[aria-current]")) other.removeAttribute("aria-current");
      row.setAttribute("aria-current", "true");
      trigger("select", { row: Number(row.dataset.row) });
    }

    root.addEventListener("click", (event) => choose(event.target));
    root.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("tr[data-row]")) choose(event.target);
    });
    copy.addEventListener("click", async () => {
      const { headings: names, cells } = value();
      const lines = [names, ...rows.map((row) => cells[row])];
      // A spreadsheet that it is pasted into must show a text, not run it (as `csv_cell` of core/files.py).
      const clean = (cell) =>
        typeof cell === "string" ? cell.replace(/[\t\r\n]+/g, " ").replace(/^[=+\-@]/, "'$&") : (cell ?? "");
      try {
        await navigator.clipboard.writeText(lines.map((cells) => cells.map(clean).join("\t")).join("\n"));
      } catch {
        return; // plain http on a LAN has no clipboard
      }
      copy.classList.add("is-copied");
      setTimeout(() => copy.classList.remove("is-copied"), 1800);
    });
    root.addEventListener("scroll", goOn, { passive: true });
    watch("value", draw);
    draw();
  }

  window.WorkbenchTable = { mount, order };
})();
