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
// Folded parts are opened for printing, since a reader of paper cannot open them.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
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
const drawnParts = (edge) => ["graph", "circuit", "brain"]
  .flatMap((view) => ["", "-head", "-tail", "-side", "-side-head", "-side-tail"].map((part) => `fig-${view}-${edge}${part}`))
  .map((id) => document.getElementById(id)).filter(Boolean);
const listedEdges = Array.from(document.querySelectorAll("tr[data-edge]"));
for (const box of document.querySelectorAll(".slider")) {
  const slider = box.querySelector("input");
  slider.addEventListener("input", () => {
    const least = Number(slider.value) / 100;
    let shown = 0;
    for (const row of listedEdges) {
      row.hidden = Number(row.dataset.confidence) < least;
      shown += row.hidden ? 0 : 1;
      for (const part of drawnParts(row.dataset.edge)) part.style.display = row.hidden ? "none" : "";
    }
    box.querySelector("output").textContent = least === 0
      ? "all pairs" : `${slider.value}% or more: ${shown} of ${listedEdges.length} pairs`;
  });
}
// Show the numbers of the edge that is pointed at or has the focus, until Escape is pressed.
const panel = document.getElementById("edge-detail");
const show = (row) => {
  for (const part of document.querySelectorAll("svg .on")) part.classList.remove("on");
  panel.hidden = !row;
  panel.textContent = row ? row.dataset.detail : "";
  if (row) for (const part of drawnParts(row.dataset.edge)) part.classList.add("on");
};
for (const row of listedEdges) {
  row.addEventListener("focusin", () => show(row));
  row.addEventListener("focusout", () => show(null));
  for (const part of drawnParts(row.dataset.edge)) {
    part.addEventListener("pointerenter", () => show(row));
    part.addEventListener("pointerleave", () => show(null));
  }
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") show(null);
});
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
