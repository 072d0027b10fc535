/* The Foreground tab's two places with a photo, for webapp/foreground/layout.py.
 *
 *   pad     the photo to draw on: brush, eraser, boxes. Sends {mask: PNG data URI or "", boxes: [[x0, y0, x1, y1]] 0..1}
 *   scene   the photo with its scored boxes and the heat map over it. A click on a box triggers `click` with {row}
 *
 * Photos are large and change seldom, so each comes in a component of its own that shows nothing ("carrier"), and a changed
 * prompt sends only the boxes and the heat map:
 *
 *   carry(name, props, watch)             name: pad-picture, scene-picture, heat; the value is JSON with `src`, and for the
 *                                         scene `outlines`: the SVG path of each row's mask, "" for a box
 *   mountPad(element, props, watch)
 *   mountScene(element, props, trigger, watch)
 *
 * Everything is built from nodes; no name is ever read as markup.
 */
(() => {
  "use strict";
  if (window.WorkbenchForeground) return;

  const SVG = "http://www.w3.org/2000/svg";
  const carried = {};
  const listeners = {};

  function parse(value) {
    try {
      return value ? JSON.parse(value) : null;
    } catch {
      return null;
    }
  }

  function carry(name, props, watch) {
    const take = () => {
      carried[name] = parse(props.value);
      for (const listener of listeners[name] ?? []) listener();
    };
    watch("value", take);
    take();
  }

  function listen(name, listener) {
    (listeners[name] ??= new Set()).add(listener);
  }

  function svg(tag, attributes = {}) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  // ---------------------------------------------------------------- pad

  class Pad {
    constructor(element, props) {
      this.props = props;
      this.root = element.querySelector(".fg-pad");
      this.image = this.root.querySelector("img");
      this.canvas = this.root.querySelector("canvas");
      this.width = this.root.querySelector("input[type=range]");
      this.tool = "brush";
      this.key = "";
      this.acts = []; // {tool, width, points: [[x, y]]} in 0..1
      for (const button of this.root.querySelectorAll("button[data-tool]")) {
        button.addEventListener("click", () => this.choose(button.dataset.tool));
      }
      this.root.querySelector("[data-do=undo]").addEventListener("click", () => this.undo());
      this.root.querySelector("[data-do=clear]").addEventListener("click", () => this.clear());
      this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
      this.canvas.addEventListener("pointermove", (event) => this.go(event));
      for (const name of ["pointerup", "pointercancel"]) {
        this.canvas.addEventListener(name, (event) => this.end(event));
      }
      this.choose("brush");
      listen("pad-picture", () => this.show());
      this.show();
    }

    show() {
      const picture = carried["pad-picture"];
      this.root.classList.toggle("is-empty", !picture?.src);
      if (!picture?.src) {
        this.image.removeAttribute("src");
        this.key = "";
        this.acts = [];
        return;
      }
      if (picture.key === this.key) return;
      this.key = picture.key;
      this.acts = [];
      const scale = Math.min(1, 1024 / Math.max(picture.width, picture.height));
      this.canvas.width = Math.max(1, Math.round(picture.width * scale));
      this.canvas.height = Math.max(1, Math.round(picture.height * scale));
      this.image.src = picture.src;
      this.commit();
    }

    choose(tool) {
      this.tool = tool;
      for (const button of this.root.querySelectorAll("button[data-tool]")) {
        button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
      }
    }

    place(event) {
      const frame = this.canvas.getBoundingClientRect();
      const inside = (value) => Math.min(1, Math.max(0, value));
      return [inside((event.clientX - frame.left) / frame.width), inside((event.clientY - frame.top) / frame.height)];
    }

    begin(event) {
      if (event.button || this.root.classList.contains("is-empty")) return;
      event.preventDefault();
      this.canvas.setPointerCapture(event.pointerId);
      this.now = { tool: this.tool, width: Number(this.width.value) / 100, points: [this.place(event)] };
      this.acts.push(this.now);
      this.draw();
    }

    go(event) {
      if (!this.now) return;
      if (this.now.tool === "box") this.now.points[1] = this.place(event);
      else this.now.points.push(this.place(event));
      this.draw();
    }

    end() {
      if (!this.now) return;
      const [first, last] = [this.now.points[0], this.now.points.at(-1)];
      if (this.now.tool === "box" && (first[0] === last[0] || first[1] === last[1])) this.acts.pop(); // a mere click
      this.now = null;
      this.commit();
    }

    undo() {
      this.acts.pop();
      this.commit();
    }

    clear() {
      this.acts = [];
      this.commit();
    }

    corners({ points }) {
      const [[a, b], [c, d]] = [points[0], points.at(-1)];
      return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
    }

    strokes(context, colour) {
      const { width, height } = this.canvas;
      context.lineCap = context.lineJoin = "round";
      context.strokeStyle = context.fillStyle = colour;
      for (const act of this.acts) {
        if (act.tool === "box") continue;
        context.globalCompositeOperation = act.tool === "eraser" ? "destination-out" : "source-over";
        context.lineWidth = Math.max(1, act.width * Math.max(width, height));
        context.beginPath();
        act.points.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](x * width, y * height));
        if (act.points.length === 1) context.lineTo(act.points[0][0] * width + 0.01, act.points[0][1] * height);
        context.stroke();
      }
      context.globalCompositeOperation = "source-over";
    }

    draw() {
      const context = this.canvas.getContext("2d");
      const { width, height } = this.canvas;
      context.clearRect(0, 0, width, height);
      this.strokes(context, "#ff2e63");
      context.lineWidth = Math.max(2, Math.max(width, height) / 300);
      context.strokeStyle = "#ff2e63";
      for (const act of this.acts) {
        if (act.tool !== "box") continue;
        const [a, b, c, d] = this.corners(act);
        context.strokeRect(a * width, b * height, (c - a) * width, (d - b) * height);
      }
    }

    commit() {
      this.draw();
      let mask = "";
      if (this.acts.some((act) => act.tool === "brush")) {
        const painted = document.createElement("canvas");
        [painted.width, painted.height] = [this.canvas.width, this.canvas.height];
        this.strokes(painted.getContext("2d"), "#fff");
        mask = painted.toDataURL("image/png");
      }
      this.props.value = { mask, boxes: this.acts.filter((act) => act.tool === "box").map((act) => this.corners(act)) };
    }
  }

  function mountPad(element, props) {
    new Pad(element, props);
  }

  // ---------------------------------------------------------------- scene

  class Scene {
    constructor(element, props, trigger) {
      this.props = props;
      this.trigger = trigger;
      this.root = element.querySelector(".fg-scene");
      this.stage = this.root.querySelector(".fg-stage");
      [this.image, this.heat] = this.stage.querySelectorAll("img");
      this.overlay = svg("svg", { role: "group", preserveAspectRatio: "none" });
      this.stage.append(this.overlay);
      const slider = this.root.querySelector("input[type=range]");
      const fade = () => (this.heat.style.opacity = Number(slider.value) / 100);
      slider.addEventListener("input", fade);
      fade();
      for (const choice of this.root.querySelectorAll("input[type=checkbox]")) {
        choice.addEventListener("change", () => this.stage.classList.toggle(`no-${choice.name}`, !choice.checked));
      }
      this.overlay.addEventListener("click", (event) => this.pick(event));
      this.overlay.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") this.pick(event);
      });
      listen("scene-picture", () => this.showPicture());
      listen("heat", () => this.showHeat());
      this.showPicture();
      this.showHeat();
    }

    showPicture() {
      const picture = carried["scene-picture"];
      if (!picture?.src) return;
      this.image.src = picture.src;
      this.stage.style.aspectRatio = `${picture.width} / ${picture.height}`;
      this.stage.style.setProperty("--shape", picture.width / picture.height);
      this.overlay.setAttribute("viewBox", `0 0 ${picture.width} ${picture.height}`);
      this.showBoxes();
    }

    showHeat() {
      const heat = carried.heat;
      this.root.classList.toggle("no-heat", !heat?.src);
      if (heat?.src) this.heat.src = heat.src;
      else this.heat.removeAttribute("src");
    }

    showBoxes() {
      const value = parse(this.props.value);
      const picture = carried["scene-picture"];
      this.overlay.replaceChildren();
      if (!value || !picture) return;
      const unit = Math.max(picture.width, picture.height) / 100;
      const few = value.boxes.length <= 16;
      this.root.classList.toggle("no-masks", !picture.outlines?.some((outline) => outline));
      for (const each of value.boxes) {
        const [x0, y0, x1, y1] = each.box;
        const chosen = each.row === value.chosen;
        const outline = picture.outlines?.[each.row];
        const group = svg("g", { class: `fg-box fg-${each.level}`, tabindex: 0, role: "button" });
        group.classList.toggle("chosen", chosen);
        group.classList.toggle("masked", Boolean(outline));
        group.dataset.row = each.row;
        group.setAttribute("aria-label", each.name);
        const title = svg("title");
        title.textContent = each.name;
        group.append(title, svg("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0 }));
        if (outline) group.append(svg("path", { d: outline }));
        if (chosen || few || (each.level !== "background" && value.boxes.length <= 60)) {
          const size = unit * 2.6;
          const tag = svg("text", { x: x0 + unit * 0.6, y: y0 + size * 0.95, "font-size": size });
          tag.textContent = each.multiplier;
          const back = { x: x0, y: y0, width: unit * 1.2 + size * 0.6 * each.multiplier.length, height: size * 1.2 };
          group.append(svg("rect", { ...back, class: "tag" }), tag);
        }
        this.overlay.append(group);
        if (chosen) this.chosen = group;
      }
      if (this.chosen?.isConnected) this.overlay.append(this.chosen); // on top
    }

    pick(event) {
      const box = event.target.closest("[data-row]");
      if (!box) return;
      event.preventDefault();
      this.trigger("click", { row: Number(box.dataset.row) });
    }
  }

  function mountScene(element, props, trigger, watch) {
    const scene = new Scene(element, props, trigger);
    watch("value", () => scene.showBoxes());
  }

  window.WorkbenchForeground = { carry, mountPad, mountScene };
})();
