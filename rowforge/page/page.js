"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const exhibits = JSON.parse(document.getElementById("data").textContent);
  document.documentElement.classList.add("script");

  // ---- tabs: one panel at a time, the arrow keys go from tab to tab
  const tabs = all('[role="tab"]');
  const show = (tab, focus) => {
    for (const each of tabs) {
      const chosen = each === tab;
      each.setAttribute("aria-selected", chosen);
      each.tabIndex = chosen ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).classList.toggle("shown", chosen);
    }
    if (focus) tab.focus();
    history.replaceState(null, "", "#/" + tab.getAttribute("aria-controls"));
    if (tab.id === "tab-schedule") for (const chart of charts) chart.draw();
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const last = tabs.length - 1;
      const to = { ArrowRight: place === last ? 0 : place + 1, ArrowLeft: place || last + 1,
        Home: 0, End: last }[event.key];
      if (to === undefined) return;
      show(tabs[event.key === "ArrowLeft" ? to - 1 : to], true);
      event.preventDefault();
    });
  });

  // ---- network: by time or by energy
  for (const input of all('input[name="by"]'))
    input.addEventListener("change", () => {
      document.getElementById("network").dataset.by = input.value;
    });

  // ---- tables
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table), body = table.tBodies[0];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const first = head.classList.contains("left") ? "ascending" : "descending";
      const turned = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? turned : first;
      for (const each of heads) each.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", order);
      const value = (row) => row.cells[column].dataset.value;
      const compare = (a, b) => {
        if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1; // empty cells come last
        const found = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
        return order === "ascending" ? found : -found;
      };
      body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b))));
    }));
  }

  // ---- schedule: tracks of slices, of which those in view are drawn
  const SVG = "http://www.w3.org/2000/svg";
  const LEFT = 132, ROW = 24, BAR = 18, AXIS = 24;
  const make = (name, attributes, parent, text) => {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  };
  const colour = (layer) => layer < 0 ? "#8a96a3" : `hsl(${(layer * 137.5) % 360} 48% 56%)`;
  class Chart {
    constructor(figure) {
      this.data = exhibits[figure.dataset.exhibit].schedule;
      this.stage = figure.querySelector(".stage");
      this.output = figure.querySelector("output");
      this.from = 0;
      this.to = this.data.cycles;
      for (const button of all("button", figure))
        button.addEventListener("click", () => this.act(button.dataset.do));
      const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "all" };
      this.stage.addEventListener("keydown", (event) => {
        if (!keys[event.key]) return;
        this.act(keys[event.key]);
        event.preventDefault();
      });
      this.stage.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.shiftKey && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
          this.move(event.deltaX / this.width());
        } else {
          const at = (event.clientX - this.stage.getBoundingClientRect().left - LEFT) / this.width();
          this.zoom(event.deltaY > 0 ? 1.25 : 0.8, Math.min(Math.max(at, 0), 1));
        }
        event.preventDefault();
      }, { passive: false });
      this.stage.addEventListener("pointermove", (event) => {
        if (event.buttons === 1) this.move(-event.movementX / this.width());
      });
      addEventListener("resize", () => this.draw());
      this.draw();
    }
    width() { return Math.max(this.stage.clientWidth || 1000, 400) - LEFT - 8; }
    act(what) {
      if (what === "in") this.zoom(0.5, 0.5);
      else if (what === "out") this.zoom(2, 0.5);
      else if (what === "left") this.move(-0.25);
      else if (what === "right") this.move(0.25);
      else this.view(0, this.data.cycles);
    }
    zoom(times, at) {
      const span = this.to - this.from, next = Math.min(Math.max(span * times, 20), this.data.cycles);
      const from = this.from + (span - next) * at;
      this.view(from, from + next);
    }
    move(share) {
      const by = (this.to - this.from) * share;
      this.view(this.from + by, this.to + by);
    }
    view(from, to) {
      const span = to - from;
      this.from = Math.max(0, Math.min(from, this.data.cycles - span));
      this.to = this.from + span;
      this.draw();
    }
    draw() {
      const { tracks, layers } = this.data, width = this.width();
      const height = tracks.length * ROW + AXIS;
      const scale = width / (this.to - this.from);
      const svg = document.createElementNS(SVG, "svg");
      const full = LEFT + width + 8;
      for (const [key, value] of [["width", full], ["height", height], ["viewBox", `0 0 ${full} ${height}`]])
        svg.setAttribute(key, value);
      tracks.forEach((track, row) => {
        const y = row * ROW;
        make("text", { x: LEFT - 8, y: y + 14, "text-anchor": "end" }, svg, track.name);
        make("line", { x1: LEFT, x2: LEFT + width, y1: y + ROW - 3, y2: y + ROW - 3, stroke: "#e4e7eb" }, svg);
        let drawn = -1; // slices thinner than half a pixel are drawn once
        for (const [begin, end, layer, amount, merged] of track.slices) {
          if (end <= this.from || begin >= this.to) continue;
          const x = LEFT + (Math.max(begin, this.from) - this.from) * scale;
          const right = LEFT + (Math.min(end, this.to) - this.from) * scale;
          if (right < drawn + 0.5) continue;
          drawn = right;
          const wide = Math.max(right - x, 0.8);
          const box = make("rect", { class: "slice", x: x.toFixed(2), y, width: wide.toFixed(2), height: BAR, fill: colour(layer) }, svg);
          const name = layer < 0 ? "no layer" : layers[layer];
          const count = merged > 1 ? `, ${merged.toLocaleString("en")} slices` : "";
          make("title", {}, box, `${track.name}: ${name}, cycles ${begin.toLocaleString("en")} to ${end.toLocaleString("en")}, ${amount.toLocaleString("en")} ${track.unit.replace("_", " ")}${count}`);
          if (row === 0 && wide > name.length * 6.6 + 8)
            make("text", { x: x + 4, y: y + 13, style: "fill:#fff;font-size:11px;pointer-events:none" }, svg, name);
        }
      });
      for (let tick = 0; tick <= 4; ++tick) {
        const cycle = Math.round(this.from + (this.to - this.from) * tick / 4);
        const anchor = tick === 4 ? "end" : tick ? "middle" : "start";
        make("text", { x: LEFT + width * tick / 4, y: height - 6, "text-anchor": anchor }, svg, cycle.toLocaleString("en"));
      }
      this.stage.replaceChildren(svg);
      this.output.textContent = `cycles ${Math.round(this.from).toLocaleString("en")} to ${Math.round(this.to).toLocaleString("en")}`;
    }
  }
  const charts = all("figure.schedule").map((figure) => new Chart(figure));

  show(tabs.find((tab) => "#/" + tab.getAttribute("aria-controls") === location.hash) || tabs[0]);
})();
