/* The Pose tab's dials, and the head that turns with them, for dials.py.
 *
 *   mountDials(element, props, trigger, watch)   three dials, each with a slider and a number box
 *
 * The dials' value, both ways, is {yaw, pitch, roll}: what stands in the number boxes, null for what is no number. The head and
 * the dials follow at once, here; `input` fires when the hand has rested for a moment, `select` once, when the tab is first seen.
 *
 * `data-bins` has each angle's bins as {words, from, to, from_in, to_in}, written from core/pose/text.py.
 */
(() => {
  "use strict";
  if (window.WorkbenchPose) return;

  const SVG = "http://www.w3.org/2000/svg";
  const NAMES = ["yaw", "pitch", "roll"];
  const HEAD = "ps-head";
  const REST_MS = 140;
  const RADIUS = 38;
  // Where 0 lies on the ring and which way angles grow, in screen degrees clockwise from the top. Seen from above the viewer
  // stands below, so yaw starts at the bottom and grows to the right; pitch starts at the right, where the face looks.
  const RINGS = { yaw: { zero: 180, way: -1 }, pitch: { zero: 90, way: -1 }, roll: { zero: 0, way: 1 } };

  const wrap = (degrees) =>
    Math.abs(degrees) <= 180 ? degrees : ((((degrees + 180) % 360) + 360) % 360) - 180;

  /** A rotation as three rows: R = Ry(yaw) · Rx(−pitch) · Rz(−roll), as in core/pose/angles.py. */
  function rotation({ yaw, pitch, roll }) {
    const [y, p, r] = [yaw, pitch, roll].map((degrees) => (degrees * Math.PI) / 180);
    const [sy, cy, sp, cp, sr, cr] = [Math.sin(y), Math.cos(y), Math.sin(p), Math.cos(p), Math.sin(r), Math.cos(r)];
    return [
      [cy * cr + sy * sp * sr, cy * sr - sy * sp * cr, sy * cp],
      [-cp * sr, cp * cr, sp],
      [-sy * cr + cy * sp * sr, -sy * sr - cy * sp * cr, cy * cp],
    ];
  }

  /** Turns the traces that turn, always from how the server sent them. */
  function turnHead(pose) {
    const [a, b, c] = rotation(pose);
    window.WorkbenchPlot?.change(HEAD, (trace) => {
      if (!trace.meta?.turns) return trace;
      const rest = trace.meta.rest ?? { x: trace.x, y: trace.y, z: trace.z };
      const along = ([u, v, w]) => rest.x.map((x, at) => u * x + v * rest.y[at] + w * rest.z[at]);
      return { ...trace, x: along(a), y: along(b), z: along(c), meta: { turns: true, rest, pose: key(pose) } };
    });
  }

  const key = ({ yaw, pitch, roll }) => `${yaw} ${pitch} ${roll}`;

  function svg(tag, attributes = {}, text = "") {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    return node;
  }

  /** A point of the ring of an angle, `radius` from the middle. */
  function onRing(name, degrees, radius) {
    const { zero, way } = RINGS[name];
    const screen = ((zero + way * degrees) * Math.PI) / 180;
    return [radius * Math.sin(screen), -radius * Math.cos(screen)];
  }

  class Dial {
    constructor(root, name, bins, moved) {
      this.name = name;
      this.bins = bins;
      this.face = root.querySelector(`.ps-dial[data-angle=${name}] svg`);
      this.words = root.querySelector(`.ps-dial[data-angle=${name}] .ps-bin`);
      const row = root.querySelector(`.ps-line[data-angle=${name}]`);
      this.slider = row.querySelector("input[type=range]");
      this.box = row.querySelector("input[type=number]");
      this.draw();
      this.slider.addEventListener("input", () => moved(name, Number(this.slider.value), "slider"));
      this.box.addEventListener("input", () => moved(name, this.read(), "box"));
      this.face.addEventListener("pointerdown", (event) => {
        this.face.setPointerCapture(event.pointerId);
        this.dragging = true;
        moved(name, this.under(event), "dial");
      });
      this.face.addEventListener("pointermove", (event) => {
        if (this.dragging) moved(name, this.under(event), "dial");
      });
      for (const end of ["pointerup", "pointercancel"]) this.face.addEventListener(end, () => (this.dragging = false));
    }

    read() {
      return this.box.value.trim() === "" || !Number.isFinite(Number(this.box.value)) ? null : Number(this.box.value);
    }

    /** The whole degree that the pointer is nearest to. */
    under(event) {
      const frame = this.face.getBoundingClientRect();
      const x = event.clientX - frame.left - frame.width / 2;
      const y = event.clientY - frame.top - frame.height / 2;
      const screen = (Math.atan2(x, -y) * 180) / Math.PI;
      const { zero, way } = RINGS[this.name];
      return Math.round(wrap(way * (screen - zero))) + 0;
    }

    draw() {
      this.face.setAttribute("viewBox", "-56 -56 112 112");
      this.arcs = this.bins.map((bin) => {
        const [x0, y0] = onRing(this.name, bin.from, RADIUS);
        const [x1, y1] = onRing(this.name, bin.to, RADIUS);
        const large = bin.to - bin.from > 180 ? 1 : 0;
        const sweep = RINGS[this.name].way > 0 ? 1 : 0;
        return svg("path", { class: "arc", d: `M ${x0} ${y0} A ${RADIUS} ${RADIUS} 0 ${large} ${sweep} ${x1} ${y1}` });
      });
      const edges = this.bins.slice(1).flatMap((bin) => {
        const [x0, y0] = onRing(this.name, bin.from, RADIUS - 5);
        const [x1, y1] = onRing(this.name, bin.from, RADIUS + 5);
        const [x, y] = onRing(this.name, bin.from, RADIUS + 12.5);
        const edge = String(bin.from).replace("-", "−");
        return [svg("line", { class: "edge", x1: x0, y1: y0, x2: x1, y2: y1 }), svg("text", { x, y: y + 2.6 }, edge)];
      });
      const [sx, sy] = onRing(this.name, 180, RADIUS);
      this.needle = svg("g", { class: "needle" });
      this.needle.append(...this.head());
      this.face.replaceChildren(...this.arcs, ...edges, svg("circle", { class: "seam", cx: sx, cy: sy, r: 1.8 }), this.needle);
    }

    /** A head pointing to the top of the screen, seen from where this angle shows. */
    head() {
      const hand = svg("line", { class: "hand", x1: 0, y1: -17, x2: 0, y2: -RADIUS + 4 });
      const outline = {
        yaw: "M 0 -17 C 3 -14 3 -13 5 -12 C 12 -9 14 0 12 6 C 10 14 -10 14 -12 6 C -14 0 -12 -9 -5 -12 C -3 -13 -3 -14 0 -17 Z",
        pitch: "M 5 -17 C 3 -14 2 -13.5 -1 -13.5 C -10 -13 -15 -4 -13 4 C -11 12 0 14 7 11 C 11 9 11 3 11 -2 L 13 -8 L 10 -12 C 8 -14 6 -14 5 -17 Z",
        roll: "M 0 -16 C 9 -16 12 -9 11.5 -1 C 11 8 6 14 0 14 C -6 14 -11 8 -11.5 -1 C -12 -9 -9 -16 0 -16 Z",
      }[this.name];
      const marks = this.name === "roll" ? [svg("path", { class: "mark", d: "M -6 -2 h 3.5 M 2.5 -2 h 3.5 M -3.5 7 h 7" })] : [];
      return [hand, svg("path", { class: "skull", d: outline }), ...marks];
    }

    /** Shows an angle; null leaves everything but the box's mark as it was. `by` is what has been moved. */
    show(degrees, by) {
      this.box.setAttribute("aria-invalid", String(degrees === null));
      if (degrees === null) return;
      const used = wrap(degrees);
      if (by !== "box") this.box.value = String(degrees);
      if (by !== "slider") this.slider.value = String(used);
      const { zero, way } = RINGS[this.name];
      this.needle.setAttribute("transform", `rotate(${zero + way * used})`);
      const at = this.bins.findIndex(
        (bin) => (used > bin.from || (bin.from_in && used === bin.from)) && (used < bin.to || (bin.to_in && used === bin.to)),
      );
      this.arcs.forEach((arc, place) => arc.classList.toggle("here", place === at));
      this.words.textContent = this.bins[at]?.words ?? "";
    }
  }

  class Dials {
    constructor(element, props, trigger) {
      this.root = element.querySelector(".ps-dials");
      this.props = props;
      this.trigger = trigger;
      this.pose = { yaw: 0, pitch: 0, roll: 0 };
      const bins = JSON.parse(this.root.dataset.bins);
      const moved = (name, degrees, by) => this.moved(name, degrees, by);
      this.dials = Object.fromEntries(NAMES.map((name) => [name, new Dial(this.root, name, bins[name], moved)]));
      this.root.querySelector(".ps-reset").addEventListener("click", () => {
        for (const name of NAMES) this.moved(name, 0, "reset");
      });
      document.addEventListener("wb-plot-drawn", (event) => this.drawn(event));
      this.take();
      new IntersectionObserver((entries, observer) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        this.trigger("select", {});
      }).observe(this.root);
    }

    /** What the server set. */
    take() {
      const value = this.props.value;
      if (!value || NAMES.some((name) => typeof value[name] !== "number")) return this.show("server");
      if (this.sent && key(value) === key(this.sent)) return undefined; // our own words, come back
      this.sent = null; // the same words once more, after the server's, are news
      this.pose = { yaw: value.yaw, pitch: value.pitch, roll: value.roll };
      return this.show("server");
    }

    moved(name, degrees, by) {
      this.pose[name] = degrees;
      this.dials[name].show(degrees, by);
      this.turn();
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.send(), REST_MS);
    }

    send() {
      this.sent = { ...this.pose };
      this.props.value = this.sent;
      this.trigger("input", {});
    }

    show(by) {
      for (const name of NAMES) this.dials[name].show(this.pose[name], by);
      this.turn();
    }

    get used() {
      return Object.fromEntries(NAMES.map((name) => [name, wrap(this.pose[name] ?? 0)]));
    }

    turn() {
      if (NAMES.every((name) => this.pose[name] !== null)) turnHead(this.used);
    }

    /** A head that comes from the server is at rest. */
    drawn(event) {
      if (!event.target.closest(`#${HEAD}`)) return;
      const turning = event.target.data?.find((trace) => trace.meta?.turns);
      if (turning && turning.meta.pose !== key(this.used)) this.turn();
    }
  }

  function mountDials(element, props, trigger, watch) {
    const dials = new Dials(element, props, trigger);
    watch("value", () => dials.take());
  }

  window.WorkbenchPose = { mountDials };
})();
