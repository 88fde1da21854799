"use strict";
// Sort a table by the column whose heading is pressed; a second press turns the order round.
document.addEventListener("click", (event) => {
  const button = event.target.closest("th button");
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
// What is folded away on the screen belongs on paper.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
