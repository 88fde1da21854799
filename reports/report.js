"use strict";
// Sort a table by the column whose heading is pressed; a second press reverses the order.
document.addEventListener("click", (event) => {
  const button = event.target.closest("thead th button");
  if (!button) return;
  const heading = button.closest("th");
  const row = heading.parentElement;
  const body = heading.closest("table").tBodies[0];
  const column = Array.prototype.indexOf.call(row.cells, heading);
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of row.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = (line) => {
    const cell = line.cells[column];
    const text = cell.dataset.sort ?? cell.textContent.trim();
    if (text === "") return null;
    const value = Number(text);
    return Number.isNaN(value) ? text : value;
  };
  const compare = (one, other) => {
    const a = key(one);
    const b = key(other);
    // Missing values stay at the end in both orders.
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === "number" && typeof b === "number"
      ? a - b
      : String(a).localeCompare(String(b), undefined, { numeric: true });
    return up ? order : -order;
  };
  body.append(...Array.from(body.rows).sort(compare));
});
// Folded parts that belong on paper are opened for printing.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.printed")) details.open = true;
});
// Show only the rows of a table that match all its filters.
const filterRows = (box) => {
  const fields = Array.from(box.querySelectorAll("[data-filter]"));
  const rows = document.getElementById(box.dataset.filters).tBodies[0].rows;
  let shown = 0;
  for (const row of rows) {
    row.hidden = !fields.every((field) => {
      const value = row.dataset[field.dataset.filter];
      return field.type === "search"
        ? value.toLowerCase().includes(field.value.trim().toLowerCase())
        : field.value === "" || field.value === value;
    });
    shown += row.hidden ? 0 : 1;
  }
  box.querySelector("output").textContent = `${shown} of ${rows.length} shown`;
};
for (const box of document.querySelectorAll("[data-filters]")) {
  box.addEventListener("input", () => filterRows(box));
  filterRows(box);
}
// Show one drawing of the graphs at a time; without this script all are shown.
for (const box of document.querySelectorAll(".views")) {
  const section = box.closest("section");
  const choose = () => { section.dataset.view = box.querySelector("input:checked").value; };
  box.addEventListener("change", choose);
  box.hidden = false;
  choose();
}
// Hide the edges whose probability, stability or share of subjects is below the slider, in the drawings and in the table.
const PARTS = ["", "-head", "-tail", "-side", "-side-head", "-side-tail", "-front", "-front-head", "-front-tail"];
const drawnParts = (edge) => [...["graph", "circuit", "brain", "panel"].map((view) => `fig-${view}-${edge}`),
  // The prior has the numbers of the first method's pairs.
  ...(edge.startsWith("0-") ? [`fig-panel-prior-${edge.slice(2)}`] : [])]
  .flatMap((id) => PARTS.map((part) => document.getElementById(id + part))).filter(Boolean);
const listedEdges = Array.from(document.querySelectorAll("tr[data-edge]"));
for (const box of document.querySelectorAll(".slider")) {
  const slider = box.querySelector("input");
  slider.addEventListener("input", () => {
    const least = Number(slider.value) / 100;
    let shown = 0;
    for (const row of listedEdges) {
      row.hidden = Number(row.dataset.confidence) < least;
      shown += row.hidden ? 0 : 1;
      for (const part of drawnParts(row.dataset.edge)) {
        if (!part.id.includes("-prior-")) part.style.display = row.hidden ? "none" : "";
      }
    }
    box.querySelector("output").textContent = least === 0
      ? "all pairs" : `${slider.value}% or more: ${shown} of ${listedEdges.length} pairs`;
  });
}
// Mark the pair that is pointed at, or has the focus, in every drawing and table, and show its evidence beside it.
const panel = document.getElementById("edge-detail");
const pairOf = (row) => row.dataset.pair ?? row.dataset.edge;
const pairs = new Map();
for (const row of listedEdges) pairs.set(pairOf(row), [...(pairs.get(pairOf(row)) ?? []), row]);
const rowOf = new Map(listedEdges.map((row) => [row.dataset.edge, row]));
const whyRows = Array.from(document.querySelectorAll("tr[data-shows]"));
let kept = null;
const add = (parent, tag, text) => {
  const made = document.createElement(tag);
  made.textContent = text;
  parent.append(made);
  return made;
};
const fill = (row) => {
  panel.replaceChildren();
  const [head, ...facts] = row.dataset.detail.split("\n");
  add(panel, "h4", row.dataset.method ? `${row.dataset.method}: ${head}` : head);
  for (const figure of document.querySelectorAll(`[data-panel="${pairOf(row)}"] figure`)) {
    panel.append(figure.cloneNode(true));
  }
  const list = add(panel, "ul", "");
  for (const fact of facts) add(list, "li", fact);
  for (const other of pairs.get(pairOf(row))) {
    if (other !== row) add(panel, "p", `${other.dataset.method}: ${other.dataset.detail.split("\n")[0]}`);
  }
};
// The card stands on the side of the place that has more room.
const stand = (x, y) => {
  const right = x < innerWidth / 2;
  panel.style.left = right ? `${x + 28}px` : "auto";
  panel.style.right = right ? "auto" : `${innerWidth - x + 28}px`;
  panel.style.top = `${Math.max(8, Math.min(y - 40, innerHeight - panel.offsetHeight - 8))}px`;
};
const show = (row, place) => {
  for (const part of document.querySelectorAll(".on")) part.classList.remove("on");
  panel.hidden = !row;
  document.dispatchEvent(new CustomEvent("pair", { detail: row ? pairOf(row) : null }));
  if (!row) {
    panel.replaceChildren();
    return;
  }
  fill(row);
  for (const member of pairs.get(pairOf(row))) {
    member.classList.add("on");
    for (const part of drawnParts(member.dataset.edge)) part.classList.add("on");
  }
  for (const other of whyRows) {
    if (pairs.get(pairOf(row)).includes(rowOf.get(other.dataset.shows))) other.classList.add("on");
  }
  const box = place.getBoundingClientRect?.();
  if (box) stand(box.left > innerWidth / 2 ? box.left : Math.min(box.right, innerWidth / 2 - 1), box.top);
  else stand(place.x, place.y);
};
// A card that was kept by a click stays until Escape or a click elsewhere.
const keep = (row, place) => {
  kept = row;
  panel.classList.toggle("kept", Boolean(row));
  show(row, place);
};
const listen = (row, place) => {
  place.addEventListener("focusin", () => show(row, place));
  place.addEventListener("focusout", () => { if (!kept) show(null); });
};
for (const row of listedEdges) {
  listen(row, row.cells[0]);
  for (const part of drawnParts(row.dataset.edge)) {
    part.addEventListener("pointerenter", (event) => { if (!kept) show(row, event); });
    part.addEventListener("pointerleave", () => { if (!kept) show(null); });
    part.addEventListener("click", (event) => { event.stopPropagation(); keep(row, event); });
  }
}
for (const other of whyRows) listen(rowOf.get(other.dataset.shows), other.cells[0]);
document.addEventListener("click", (event) => {
  const line = event.target.closest("tbody th button:not([data-opens])")?.closest("tr[data-edge], tr[data-shows]");
  if (line) keep(rowOf.get(line.dataset.edge ?? line.dataset.shows), line.cells[0]);
  else if (kept && !panel.contains(event.target)) keep(null);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") keep(null);
});
// Save a drawing of the page as a file, which needs its size in points and no marks.
for (const link of document.querySelectorAll("a[data-save]")) {
  link.parentElement.hidden = false;
  link.addEventListener("click", () => {
    show(null);
    const drawing = document.getElementById(link.dataset.save).cloneNode(true);
    const text = `<?xml version="1.0" encoding="utf-8"?>\n${new XMLSerializer().serializeToString(drawing)}\n`;
    link.href = `data:image/svg+xml;base64,${btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""))}`;
  });
}
// The arrow keys go from pair to pair while a drawing has the focus.
for (const box of document.querySelectorAll("[data-walk]")) {
  let at = -1;
  box.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const first = Array.from(pairs.values(), (members) => members[0]);
    if (!first.length) return;
    at = (at + step + first.length) % first.length;
    keep(null);
    show(first[at], box);
  });
  box.addEventListener("focusout", () => { if (!kept) show(null); });
}
// Mark the pair in the matrices of scores, whose cells are pixels of one picture.
const matrices = Array.from(document.querySelectorAll("svg[id^='fig-scores-']"), (drawing) => ({
  image: drawing.querySelector("image"), figure: drawing.closest("figure"), index: drawing.id.split("-").pop(),
})).filter(({ image }) => image);
const regions = 1 + Math.max(-1, ...Array.from(pairs.keys(), (key) => Math.max(...key.split("-").map(Number))));
const markCells = (pair) => {
  for (const cell of document.querySelectorAll(".cell")) cell.remove();
  if (!pair) return;
  const [a, b] = pair.split("-").map(Number);
  for (const { image, figure } of matrices) {
    const box = image.getBoundingClientRect();
    if (!box.width) continue;
    const outer = figure.getBoundingClientRect();
    for (const [row, column] of [[a, b], [b, a]]) {
      const cell = document.createElement("i");
      cell.className = "cell";
      const size = { x: box.width / regions, y: box.height / regions };
      cell.style.left = `${box.left - outer.left + figure.scrollLeft + column * size.x}px`;
      cell.style.top = `${box.top - outer.top + row * size.y}px`;
      cell.style.width = `${size.x}px`;
      cell.style.height = `${size.y}px`;
      figure.append(cell);
    }
  }
};
for (const { image, index } of matrices) {
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    const [row, column] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width]
      .map((share) => Math.min(regions - 1, Math.floor(share * regions)));
    const found = pairs.get(`${Math.min(row, column)}-${Math.max(row, column)}`);
    if (!kept) show(found?.find((line) => line.dataset.edge.startsWith(`${index}-`)) ?? null, event);
  });
  image.addEventListener("pointerleave", () => { if (!kept) show(null); });
}
document.addEventListener("pair", (event) => markCells(event.detail));
// Draw the graph of one method in a brain of glass, which the pointer and the arrow keys turn.
for (const canvas of document.querySelectorAll("canvas[data-model]")) {
  const model = JSON.parse(canvas.dataset.model);
  const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const points = new Int8Array(decode(model.points));
  const triangles = new Uint16Array(decode(model.triangles));
  const box = canvas.closest(".solid");
  const pen = canvas.getContext("2d");
  const turns = { left: [Math.PI / 2, 0], front: [Math.PI, 0], above: [0, Math.PI / 2] };
  let [yaw, pitch] = [2.4, 0.35];
  let method = Math.max(0, model.methods.findIndex((one) => one.edges.length));
  let marked = null;
  let lines = [];
  const seen = ([x, y, z], size) => {
    const [across, deep] = [x * Math.cos(yaw) + y * Math.sin(yaw), -x * Math.sin(yaw) + y * Math.cos(yaw)];
    const up = z * Math.cos(pitch) + deep * Math.sin(pitch);
    return [size / 2 + across * size / 195, size / 2 - (up - 5 * Math.cos(pitch)) * size / 195];
  };
  const corners = (i) => [0, 1, 2].map((corner) => triangles[i + corner]);
  const area = (a, b, c) => {
    const [u, v] = [b, c].map((end) => a.map((value, axis) => end[axis] - value));
    const [x, y, z] = [0, 1, 2].map((axis) => u[(axis + 1) % 3] * v[(axis + 2) % 3] - u[(axis + 2) % 3] * v[(axis + 1) % 3]);
    return Math.hypot(x, y, z);
  };
  const place = (index) => Array.from(points.subarray(3 * index, 3 * index + 3));
  const areas = [];
  for (let i = 0; i < triangles.length; i += 3) areas.push(area(...corners(i).map(place)));
  const draw = () => {
    const size = canvas.clientWidth;
    const sharp = devicePixelRatio || 1;
    if (!size) return;
    canvas.width = canvas.height = size * sharp;
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    const outline = [];
    for (let i = 0; i < points.length; i += 3) outline.push(seen([points[i], points[i + 1] + 16, points[i + 2]], size));
    for (let i = 0; i < triangles.length; i += 3) {
      const [a, b, c] = corners(i).map((index) => outline[index]);
      // Glass is darker where it is seen at a slant.
      const flat = area([...a, 0], [...b, 0], [...c, 0]) * (195 / size) ** 2 / areas[i / 3];
      pen.fillStyle = `rgb(70 90 110 / ${(2 + 9 * (1 - Math.min(1, flat)) ** 2).toFixed(1)}%)`;
      pen.beginPath();
      pen.moveTo(...a);
      pen.lineTo(...b);
      pen.lineTo(...c);
      pen.fill();
    }
    const at = model.places.map(([x, y, z]) => seen([x, y + 16, z], size));
    lines = [];
    for (const [from, to, color, heads, dashes, hollow, width, row] of model.methods[method].edges) {
      const edge = rowOf.get(`${method}-edge-${row}`);
      if (!edge || edge.hidden) continue;
      const [start, stop] = [at[from], at[to]];
      const long = Math.hypot(stop[0] - start[0], stop[1] - start[1]);
      if (long < 14) continue;
      const along = [(stop[0] - start[0]) / long, (stop[1] - start[1]) / long];
      const on = pairOf(edge) === marked;
      const thick = (hollow ? Math.max(width, 2.6) : width) + (on ? 1.5 : 0);
      const head = 6 + 2.4 * thick;
      const ends = [
        [start[0] + along[0] * (heads.length > 1 ? 7 + head * 0.8 : 6), start[1] + along[1] * (heads.length > 1 ? 7 + head * 0.8 : 6)],
        [stop[0] - along[0] * (heads.length ? 7 + head * 0.8 : 6), stop[1] - along[1] * (heads.length ? 7 + head * 0.8 : 6)],
      ];
      const stroke = (style, wide) => {
        pen.beginPath();
        pen.setLineDash(dashes.map((dash) => dash * 1.4));
        pen.moveTo(...ends[0]);
        pen.lineTo(...ends[1]);
        pen.strokeStyle = style;
        pen.lineWidth = wide;
        pen.stroke();
        pen.setLineDash([]);
      };
      if (on) stroke("#f0b000", thick + 5);
      stroke(on ? "#1f2933" : color, thick);
      if (hollow) stroke("#fff", thick - 1.6);
      for (const [index, tint] of heads.entries()) {
        const way = index ? -1 : 1;
        const tip = index ? [start[0] + along[0] * 7, start[1] + along[1] * 7] : [stop[0] - along[0] * 7, stop[1] - along[1] * 7];
        const base = [tip[0] - way * along[0] * head, tip[1] - way * along[1] * head];
        pen.beginPath();
        pen.moveTo(...tip);
        pen.lineTo(base[0] - along[1] * head * 0.42, base[1] + along[0] * head * 0.42);
        pen.lineTo(base[0] + along[1] * head * 0.42, base[1] - along[0] * head * 0.42);
        pen.closePath();
        pen.fillStyle = hollow ? "#fff" : tint;
        pen.strokeStyle = tint;
        pen.lineWidth = 1.2;
        pen.fill();
        pen.stroke();
      }
      lines.push({ ends, edge });
    }
    pen.font = "12px sans-serif";
    for (const [index, [x, y]] of at.entries()) {
      pen.beginPath();
      pen.arc(x, y, 4.5, 0, 2 * Math.PI);
      pen.fillStyle = "#fff";
      pen.strokeStyle = "#1f2933";
      pen.lineWidth = 1.4;
      pen.fill();
      pen.stroke();
      if (at.length > 30) continue;
      pen.lineWidth = 3;
      pen.strokeStyle = "#fff";
      pen.fillStyle = "#1f2933";
      pen.strokeText(model.names[index], x + 8, y - 5);
      pen.fillText(model.names[index], x + 8, y - 5);
    }
  };
  const near = (event) => {
    const frame = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    const away = ({ ends: [a, b] }) => {
      const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
      const share = Math.max(0, Math.min(1, ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy)));
      return Math.hypot(x - a[0] - share * dx, y - a[1] - share * dy);
    };
    const close = lines.map((line) => [away(line), line.edge]).sort((one, other) => one[0] - other[0])[0];
    return close && close[0] < 8 ? close[1] : null;
  };
  const turn = (right, up) => {
    yaw += right;
    pitch = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, pitch + up));
    draw();
  };
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) turn(event.movementX / 120, event.movementY / 120);
    else if (!kept) show(near(event), event);
  });
  canvas.addEventListener("pointerleave", () => { if (!kept) show(null); });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[event.key];
    if (!step) return;
    event.preventDefault();
    turn(...step);
  });
  for (const button of box.querySelectorAll("[data-turn]")) {
    button.addEventListener("click", () => {
      [yaw, pitch] = turns[button.dataset.turn];
      draw();
    });
  }
  box.querySelector("select")?.addEventListener("change", (event) => {
    method = Number(event.target.value);
    draw();
  });
  document.addEventListener("pair", (event) => {
    marked = event.detail;
    draw();
  });
  for (const other of document.querySelectorAll(".slider input")) other.addEventListener("input", draw);
  if (box.querySelector("select")) box.querySelector("select").value = String(method);
  box.hidden = false;
  new ResizeObserver(draw).observe(canvas);
}
// Draw the scores of all subjects on the pair that is pressed, with their intervals.
const drawn = (tag, about, text) => {
  const part = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(about)) part.setAttribute(name, value);
  if (text !== undefined) part.textContent = text;
  return part;
};
const forestOf = (row) => {
  const names = row.closest("table").dataset.subjects.split(" ");
  const numbers = row.dataset.forest.split(" ").map((cell) =>
    cell.split(",").map((value) => (value === "" ? null : Number(value) / 100)));
  const people = names.map((name, i) => ({ name, score: numbers[i][0], low: numbers[i][1], high: numbers[i][2] }))
    .filter((one) => one.score !== null)
    .sort((a, b) => b.score - a.score);
  const { first, second } = row.dataset;
  const step = people.length > 60 ? Math.max(3, 900 / people.length) : 17;
  const top = 26;
  const height = top + step * people.length + 58;
  const x = (value) => 370 + 220 * value;
  const towards = people.filter((one) => one.score > 0).length;
  const said = `${towards} of ${people.length} subjects favour ${first} → ${second}, ` +
    `${people.filter((one) => one.score < 0).length} favour ${second} → ${first}.`;
  const svg = drawn("svg", { viewBox: `0 0 620 ${height}`, role: "img", "aria-label": said });
  svg.append(drawn("text", { x: x(-1), y: 14 }, `← ${second.slice(0, 30)} drives`),
    drawn("text", { x: x(1), y: 14, "text-anchor": "end" }, `${first.slice(0, 30)} drives →`));
  const bottom = top + step * people.length;
  people.forEach((one, i) => {
    const y = top + step * (i + 0.5);
    if (one.low !== null && one.high !== null) {
      svg.append(drawn("line", { x1: x(one.low), x2: x(one.high), y1: y, y2: y, class: "line" }));
    }
    const hollow = one.name.endsWith("*") ? " hollow" : "";
    const mark = drawn("circle", { cx: x(one.score), cy: y, r: Math.min(4, step / 2), class: `mark${hollow}` });
    mark.append(drawn("title", {}, `${one.name.replace("*", "")}: ${one.score.toFixed(2)}`));
    svg.append(mark);
    if (step > 9) svg.append(drawn("text", { x: 140, y: y + 4, "text-anchor": "end" }, one.name.replace("*", "")));
  });
  svg.append(drawn("line", { x1: x(0), x2: x(0), y1: top, y2: bottom, class: "zero" }),
    drawn("line", { x1: x(-1), x2: x(1), y1: bottom + 24, y2: bottom + 24, class: "axis" }));
  const mean = x(Number(row.dataset.mean));
  svg.append(drawn("path", { d: `M${mean - 7} ${bottom + 10}l7 -6l7 6l-7 6z`, class: "mean" }),
    drawn("text", { x: 140, y: bottom + 14, "text-anchor": "end" }, "mean"));
  for (const value of [-1, -0.5, 0, 0.5, 1]) {
    svg.append(drawn("text", { x: x(value), y: bottom + 40, "text-anchor": "middle" }, String(value).replace("-", "−")));
  }
  svg.append(drawn("text", { x: x(0), y: bottom + 55, "text-anchor": "middle" }, "score"));
  return [svg, said];
};
const forest = document.getElementById("forest");
if (forest) {
  for (const button of document.querySelectorAll("[data-opens=forest]")) {
    button.addEventListener("click", () => {
      const [svg, said] = forestOf(button.closest("tr"));
      forest.querySelector("h2").textContent = said;
      forest.querySelector(".forest-plot").replaceChildren(svg);
      forest.showModal();
    });
  }
}
// Rate a subject: through the server that shows this page, or else in a file to save.
const ratingBox = document.getElementById("rating");
const index = document.getElementById("index");
const followed = document.querySelector("[data-live]");
const lineOf = (unit) => index.querySelector(`tr[data-unit="${CSS.escape(unit)}"]`);
const showRating = (line, choice, note) => {
  line.dataset.rating = choice || "not rated";
  line.dataset.note = note;
  const cell = line.querySelector(".rating");
  const button = cell.querySelector("button");
  button.textContent = choice || "rate";
  button.setAttribute("aria-label", `Rate ${line.dataset.unit}: ${line.dataset.rating}`);
  for (const old of cell.querySelectorAll("br, small")) old.remove();
  if (note) {
    const small = document.createElement("small");
    small.textContent = note;
    cell.append(document.createElement("br"), small);
  }
};
const fileOfRatings = () => {
  const lines = Array.from(index.tBodies[0].rows).filter((line) => line.dataset.rating !== "not rated" || line.dataset.note)
    .map((line) => [line.dataset.unit, { pass: "0", exclude: "1" }[line.dataset.rating] ?? "n/a", line.dataset.note || "n/a"].join("\t"));
  return ["participant_id\texclude\tnote", ...lines, ""].join("\n");
};
if (ratingBox) {
  let rated = null;
  let unsaved = 0;
  const form = ratingBox.querySelector("form");
  const problem = ratingBox.querySelector(".problem");
  index.addEventListener("click", (event) => {
    const button = event.target.closest("[data-rate]");
    if (!button) return;
    rated = button.closest("tr").dataset.unit;
    const { rating, note } = lineOf(rated).dataset;
    ratingBox.querySelector("h2").textContent = rated;
    form.elements.choice.value = rating === "not rated" ? "" : rating;
    form.elements.note.value = note;
    problem.hidden = true;
    ratingBox.showModal();
  });
  const save = async () => {
    const choice = form.elements.choice.value;
    const note = form.elements.note.value.split(/\s+/).join(" ").trim();
    if (followed) {
      const answer = await fetch("rate", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ unit: rated, choice, note }),
      }).catch(() => null);
      if (!answer?.ok) {
        problem.textContent = answer ? (await answer.json()).message : "causal-ivae view no longer runs.";
        problem.hidden = false;
        return;
      }
    }
    showRating(lineOf(rated), choice, note);
    if (!followed) {
      unsaved += 1;
      const box = document.querySelector(".unsaved");
      box.hidden = false;
      box.querySelector("span").textContent = `${unsaved} ${unsaved === 1 ? "rating is" : "ratings are"} not saved.`;
      box.querySelector("a").href = `data:text/tab-separated-values;charset=utf-8,${encodeURIComponent(fileOfRatings())}`;
    }
    ratingBox.close();
    lineOf(rated).querySelector("[data-rate]").focus();
  };
  ratingBox.querySelector("[data-save]").addEventListener("click", save);
  form.addEventListener("submit", (event) => {
    // Enter in the note saves; only the button "Cancel" closes without saving.
    if (event.submitter?.textContent !== "Cancel" || document.activeElement === form.elements.note) {
      event.preventDefault();
      save();
    }
  });
  // A dot of the strip leads to its subject.
  document.querySelector(".strip")?.addEventListener("click", (event) => {
    const dot = event.target.closest("[data-dot]");
    if (!dot) return;
    const search = document.querySelector("[data-filter=unit]");
    search.value = dot.dataset.dot;
    search.dispatchEvent(new Event("input", { bubbles: true }));
    lineOf(dot.dataset.dot).scrollIntoView({ block: "center" });
  });
}
// While a run goes on, take over what has changed in the index.
if (followed) {
  let version = Number(followed.dataset.live);
  const follow = async () => {
    const answer = await fetch(`changes?since=${version}`).catch(() => null);
    if (answer?.ok) {
      const news = await answer.json();
      version = news.version;
      if (news.reload && !ratingBox.open) location.reload();
      followed.querySelector(".run-line").textContent = news.progress;
      for (const [unit, html] of Object.entries(news.rows)) {
        const made = document.createElement("template");
        made.innerHTML = html.trim();
        const line = made.content.firstElementChild;
        const old = lineOf(unit);
        if (old) old.replaceWith(line); else index.tBodies[0].append(line);
      }
      for (const box of document.querySelectorAll("[data-filters]")) filterRows(box);
    }
    setTimeout(follow, 2000);
  };
  setTimeout(follow, 2000);
}
