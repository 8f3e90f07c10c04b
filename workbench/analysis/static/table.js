// Sort a table of runs by a click on a column's name, and filter it by words. It works on what Python wrote, without a kernel.
for (const root of document.querySelectorAll(".wbr:not([data-ready])")) {
  root.dataset.ready = "true";
  const heads = [...root.querySelectorAll("th")];
  const body = root.querySelector("tbody");
  const rows = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const filter = root.querySelector(".wbr-filter");
  const count = root.querySelector(".wbr-count");
  const all = count.textContent;

  const numbers = (cell) => Number(cell.dataset.value ?? cell.textContent.replaceAll(",", "") ?? "");
  const compare = (place, numeric) => (first, second) => {
    const [a, b] = [first.row.cells[place], second.row.cells[place]];
    const [empty, other] = [a.textContent === "", b.textContent === ""];
    if (empty || other) return { order: Number(empty) - Number(other), fixed: true };
    return { order: numeric ? numbers(a) - numbers(b) : a.textContent.localeCompare(b.textContent), fixed: false };
  };

  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    const numeric = head.classList.contains("wbr-number");
    button.addEventListener("click", () => {
      // What is large comes first among numbers.
      const now = head.getAttribute("aria-sort");
      const next = now === null ? (numeric ? "descending" : "ascending") : now === "ascending" ? "descending" : "ascending";
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const by = compare(place, numeric);
      rows.sort((first, second) => {
        const { order, fixed } = by(first, second); // What is empty comes last either way.
        return fixed ? order : sign * order;
      });
      body.append(...rows.map(({ row }) => row));
    });
  });

  filter.hidden = false;
  filter.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has shortcuts of one letter
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      shown += Number(!row.hidden);
    }
    count.textContent = words.length ? `${shown} of ${all}` : all;
  });
}
