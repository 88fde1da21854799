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
