/* One Plotly chart inside one gr.HTML, for webapp/plot.py.
 *
 * Why not gr.Plot: it builds the chart anew at every update, which throws away zoom and camera and, after some twenty 3-D
 * charts, exhausts the browser's WebGL contexts. Here the chart is made once and then only told what changed.
 *
 *   mount(element, props, trigger, watch)   called once by each component's js_on_load
 *   change(id, alter)                       alter(trace) → trace, for each trace of the chart inside #id: in the browser alone,
 *                                           until the server sends another drawing
 *
 * `props.value` is the JSON text of a Drawing (webapp/figures/drawing.py):
 *   { data, layout, cards: [{title, lines, image, key}], view, description, refines, x_range }
 *   { empty }   plain words: there is no chart yet, and what to do to get one
 *
 * What it takes care of
 *   - plotly.js is fetched once, when the first chart is drawn, from our own server.
 *   - A chart in a hidden tab waits until it is seen: it would be drawn at a wrong size.
 *   - Zoom and camera stay while `view` stays the same.
 *   - Text, grid and background take the page's colours, again whenever light and dark change places.
 *   - Cards (tooltips) are built from text nodes: a file name is never read as markup.
 *   - A chart whose component has left the page is purged, so that its WebGL context is given back.
 *   - A click on a point triggers the component's `select` event with {keys: of its cards, trace, point}.
 *   - `wb-plot-drawn` bubbles from the chart after each drawing.
 *   - Where the drawing `refines` and what is in view is not what it was made for (`x_range`), the component's `release`
 *     event asks for that, with {view, x_range}; whether a person zoomed or an answer crossed a question on its way.
 */
(() => {
  "use strict";
  if (window.WorkbenchPlot) return;

  const CONFIG = {
    displaylogo: false,
    showSendToCloud: false, // Plotly's own default offers to upload the chart with its data to its maker
    plotlyServerURL: "",
    responsive: false, // our own ResizeObserver does it, also when a tab opens
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "hoverClosest3d", "resetCameraLastSave3d"],
  };
  const REFINE_AFTER_MS = 150; // the wheel turns in many small steps
  const REFINE_TRIES = 3; // for one range, should the answer not be for it
  const CARD_GAP_PX = 14;
  const CELL_TEXT_PX = 32;
  // From the page's surface to its accent: a low value recedes, in light and in dark. For traces with `autocolorscale`.
  const SCALE = {
    light: [[0, "#f1f5f9"], [0.25, "#d5dcf7"], [0.5, "#a5b4fc"], [0.75, "#6366f1"], [1, "#3730a3"]],
    dark: [[0, "#18223a"], [0.25, "#2b3470"], [0.5, "#4f51b8"], [0.75, "#a3a7f5"], [1, "#d7dcff"]],
  };

  // Plotly's own words, as far as a person can meet them here.
  const ZH = {
    "Double-click to zoom back out": "双击可恢复缩放",
    "Double-click on legend to isolate one trace": "双击图例可只显示该项",
    "Download plot as a PNG": "将图下载为 PNG",
    "Preparing image - this may take a few seconds": "正在生成图片，可能需要几秒",
    "Image download succeeded": "图片已下载",
    "Sorry, there was a problem downloading your image!": "图片下载失败",
    Zoom: "缩放",
    Pan: "平移",
    "Zoom in": "放大",
    "Zoom out": "缩小",
    "Reset axes": "恢复坐标轴",
    "Orbital rotation": "环绕旋转",
    "Turntable rotation": "转台旋转",
    "Reset camera to default": "恢复默认视角",
  };

  const plots = new Set();
  let plotlyPromise = null;

  /** plotly.js, fetched once. A failed fetch may be tried again. */
  function loadPlotly(url) {
    if (window.Plotly) return Promise.resolve(window.Plotly);
    plotlyPromise ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => {
        window.Plotly.register({ moduleType: "locale", name: "zh-CN", dictionary: ZH, format: {} });
        resolve(window.Plotly);
      };
      script.onerror = () => {
        plotlyPromise = null;
        script.remove();
        reject(new Error(`Could not load ${url}`));
      };
      document.head.append(script);
    });
    return plotlyPromise;
  }

  const locale = () => (document.documentElement.lang.startsWith("zh") ? "zh-CN" : "en-US");
  const isDark = () => document.body.classList.contains("dark");

  /** A copy of `layout` in the page's own colours and font. Keys that the layout sets itself are kept. */
  function inPageColours(layout, element) {
    const style = getComputedStyle(element);
    const ink = style.getPropertyValue("--body-text-color").trim() || "#334155";
    const quiet = style.getPropertyValue("--body-text-color-subdued").trim() || "#64748b";
    const grid = isDark() ? "rgba(148,163,184,.16)" : "rgba(100,116,139,.18)";
    const surface = style.getPropertyValue("--block-background-fill").trim() || (isDark() ? "#121a2e" : "#fff");
    const scale = SCALE[isDark() ? "dark" : "light"]; // a cosine a little below 0 calls for no second colour
    const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, tickcolor: grid };
    const coloured = {
      ...layout,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { size: 11.5, ...layout.font, color: ink, family: style.fontFamily },
      hoverlabel: { bgcolor: surface, bordercolor: grid, font: { color: ink, size: 12 }, ...layout.hoverlabel },
      colorscale: { sequential: scale, diverging: scale, sequentialminus: scale, ...layout.colorscale },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: quiet, activecolor: ink, ...layout.modebar },
    };
    const scenes = Object.keys(layout).filter((key) => /^scene\d*$/.test(key));
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key)) coloured[key] = { ...axis, ...layout[key] };
    }
    if (!scenes.length) {
      coloured.xaxis ??= axis;
      coloured.yaxis ??= axis;
    }
    for (const key of scenes) {
      const scene = { ...layout[key] };
      for (const name of ["xaxis", "yaxis", "zaxis"]) {
        scene[name] = { ...axis, backgroundcolor: "rgba(0,0,0,0)", color: quiet, ...scene[name] };
      }
      coloured[key] = scene;
    }
    return coloured;
  }

  /** Columns of a heatmap: nested arrays, or plotly.py's packed form with its `shape` in words ("3, 4"). */
  const columnsOf = (z) => (z.shape ? Number(z.shape.split(",")[1]) : z[0].length);

  /**
   * Traces as this page and this width want them: colour bars without their black frame, and a heatmap's values only where
   * a cell is wide enough to hold them.
   */
  function fitted(data, widthPx) {
    return data.map((trace) => {
      const fit = { ...trace };
      if (trace.colorbar) fit.colorbar = { outlinewidth: 0, ...trace.colorbar };
      if (trace.type === "heatmap" && widthPx / columnsOf(trace.z) < CELL_TEXT_PX) delete fit.texttemplate;
      return fit;
    });
  }

  /** Whether two ranges show the same: both everything, or the same ends but for rounding. */
  function same(one, other) {
    if (!one || !other) return !one && !other;
    const dust = 1e-6 * (other[1] - other[0]);
    return Math.abs(one[0] - other[0]) <= dust && Math.abs(one[1] - other[1]) <= dust;
  }

  class Plot {
    constructor(element, props, trigger) {
      this.element = element;
      this.box = element.querySelector(".wb-plot");
      this.empty = element.querySelector(".wb-plot-empty");
      this.props = props;
      this.trigger = trigger;
      this.drawing = null; // what the chart shows now
      this.card = null; // the tooltip's element while it is shown
      this.queue = Promise.resolve(); // draws run one after the other
      new ResizeObserver(() => this.resized()).observe(this.box);
    }

    get visible() {
      return this.box.isConnected && this.box.offsetWidth > 0;
    }

    /** Shows `props.value`; in a hidden tab, later. */
    update() {
      const value = JSON.parse(this.props.value || '{"empty": ""}');
      const isEmpty = "empty" in value;
      this.pending = isEmpty ? null : value;
      this.empty.textContent = value.empty ?? "";
      this.empty.hidden = !isEmpty;
      this.box.classList.toggle("is-empty", isEmpty);
      if (isEmpty) {
        this.hideCard();
        if (this.drawing) window.Plotly.purge(this.box);
        this.drawing = null;
      } else if (this.visible) {
        this.draw();
      }
    }

    draw() {
      this.queue = this.queue.then(() => this.drawNow()).catch((error) => console.error("Plot:", error));
      return this.queue;
    }

    /** Alters the traces of what is shown, or is going to be. Calls that come while one is drawn become one. */
    change(alter) {
      const drawing = this.pending ?? this.drawing;
      if (!drawing) return;
      this.pending = { ...drawing, data: drawing.data.map(alter) };
      if (!this.visible || this.changing) return;
      this.changing = true;
      this.draw().then(() => {
        this.changing = false;
        if (this.pending && this.visible) this.change((trace) => trace);
      });
    }

    async drawNow() {
      const Plotly = await loadPlotly(this.box.dataset.plotly);
      const next = this.pending ?? this.drawing;
      if (!next) return;
      this.pending = null;
      this.hideCard();
      const layout = inPageColours(next.layout, this.element);
      if (this.drawing && this.drawing.view === next.view) this.keepCameras(layout);
      layout.uirevision = next.view; // Plotly keeps the zoom while this stays
      layout.width = this.box.clientWidth;
      layout.height = this.box.clientHeight;
      const first = !this.drawing;
      this.drawing = next;
      this.box.setAttribute("aria-label", next.description);
      await Plotly.react(this.box, fitted(next.data, layout.width), layout, { ...CONFIG, locale: locale() });
      if (first) this.listen();
      this.refine();
      this.box.dataset.draws = String(Number(this.box.dataset.draws || 0) + 1);
      this.box.dispatchEvent(new CustomEvent("wb-plot-drawn", { bubbles: true }));
    }

    /** What of x is in view, in the units of the data (dates in milliseconds); null for everything. */
    get xRange() {
      const axis = this.box._fullLayout?.xaxis;
      if (!axis || axis.autorange) return null;
      const ends = axis.range.map((end) => (axis.type === "log" ? 10 ** end : axis.r2l(end)));
      return [Math.min(...ends), Math.max(...ends)];
    }

    /** Asks for a drawing of what is in view, unless this one was made for it. */
    refine() {
      clearTimeout(this.refining);
      if (!this.drawing?.refines || same(this.xRange, this.drawing.x_range)) {
        this.tries = 0;
        return;
      }
      this.refining = setTimeout(() => {
        const range = this.xRange;
        if (!this.drawing?.refines || !this.visible || same(range, this.drawing.x_range)) return;
        this.tries = this.asked && same(range, this.asked.range) ? this.tries + 1 : 1;
        this.asked = { range };
        if (this.tries <= REFINE_TRIES) this.trigger("release", { view: this.drawing.view, x_range: range });
      }, REFINE_AFTER_MS);
    }

    /** A 3-D camera lives in its scene, not in the layout, until the pointer is let go. */
    keepCameras(layout) {
      const full = this.box._fullLayout ?? {};
      for (const key of Object.keys(layout).filter((name) => /^scene\d*$/.test(name))) {
        const scene = full[key]?._scene;
        if (scene) layout[key].camera = scene.getCamera();
      }
    }

    resized() {
      if (!this.visible) return;
      if (this.pending) {
        this.draw();
      } else if (this.drawing && !this.resizing) {
        this.resizing = requestAnimationFrame(() => {
          this.resizing = 0;
          const { clientWidth: width, clientHeight: height } = this.box;
          const full = this.box._fullLayout;
          if (full && width && (full.width !== width || full.height !== height)) {
            this.draw();
          }
        });
      }
    }

    purge() {
      this.hideCard();
      if (this.drawing && window.Plotly) window.Plotly.purge(this.box);
      this.drawing = null;
    }

    listen() {
      this.box.on("plotly_hover", (event) => this.showCard(event));
      this.box.on("plotly_unhover", () => this.hideCard());
      this.box.on("plotly_relayouting", () => this.hideCard());
      this.box.on("plotly_relayout", () => this.refine());
      this.box.on("plotly_click", (event) => {
        const point = event.points[0];
        const keys = this.cardsOf(point).map((card) => card.key);
        this.trigger("select", { keys, trace: point.curveNumber, point: point.pointNumber });
      });
    }

    /** The cards of a point; see Drawing for what a trace's `meta` says. */
    cardsOf(point) {
      const meta = point.data.meta;
      let indices = [];
      if (meta === "cells") indices = point.pointNumber;
      else if (meta === "points") indices = [point.pointNumber];
      else if (typeof meta?.card === "number") indices = [meta.card];
      return [...new Set(indices)].map((index) => this.drawing.cards[index]).filter(Boolean);
    }

    showCard(event) {
      const point = event.points[0];
      const cards = this.cardsOf(point);
      this.hideCard();
      if (!cards.length) return;
      const tip = document.createElement("div");
      tip.className = "wb-plot-card";
      tip.setAttribute("role", "tooltip");
      for (const card of cards) {
        const figure = document.createElement("figure");
        if (card.image.startsWith("data:image/")) {
          const image = document.createElement("img");
          image.src = card.image;
          image.alt = "";
          figure.append(image);
        }
        const caption = document.createElement("figcaption");
        for (const [index, text] of [card.title, ...card.lines].entries()) {
          const line = document.createElement(index ? "span" : "b");
          line.textContent = text;
          caption.append(line);
        }
        figure.append(caption);
        tip.append(figure);
      }
      if (point.data.meta === "cells" && typeof point.z === "number") {
        const value = document.createElement("strong");
        value.textContent = `${point.data.name ? `${point.data.name} ` : ""}${point.z.toFixed(3)}`;
        tip.append(value);
      }
      document.body.append(tip);
      this.card = tip;
      this.placeCard(event.event);
    }

    /** Beside the pointer, on the side where there is room. */
    placeCard(pointer) {
      const touch = pointer?.touches?.[0] ?? pointer ?? {};
      const x = touch.clientX ?? this.box.getBoundingClientRect().left;
      const y = touch.clientY ?? this.box.getBoundingClientRect().top;
      const { offsetWidth: width, offsetHeight: height } = this.card;
      const right = x + CARD_GAP_PX + width < innerWidth;
      const below = y + CARD_GAP_PX + height < innerHeight;
      this.card.style.left = `${Math.max(4, right ? x + CARD_GAP_PX : x - CARD_GAP_PX - width)}px`;
      this.card.style.top = `${Math.max(4, below ? y + CARD_GAP_PX : y - CARD_GAP_PX - height)}px`;
    }

    hideCard() {
      this.card?.remove();
      this.card = null;
    }
  }

  function sweep() {
    for (const plot of plots) {
      if (plot.box.isConnected) continue;
      plot.purge();
      plots.delete(plot);
    }
  }

  function mount(element, props, trigger, watch) {
    sweep();
    const plot = new Plot(element, props, trigger);
    plots.add(plot);
    watch("value", () => plot.update());
    plot.update();
  }

  function change(id, alter) {
    const place = document.getElementById(id);
    for (const plot of plots) if (place?.contains(plot.box)) plot.change(alter);
  }

  // Light and dark: Gradio sets a class on the body. Only that attribute is watched; a subtree would answer to our own changes.
  let dark = isDark();
  new MutationObserver(() => {
    if (dark === isDark()) return;
    dark = isDark();
    sweep();
    for (const plot of plots) if (plot.drawing && plot.visible) plot.draw();
    // A hidden one is drawn in the new colours when it is seen again.
    for (const plot of plots) if (plot.drawing && !plot.visible) plot.pending ??= plot.drawing;
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });

  window.WorkbenchPlot = { mount, change };
})();
