// The table of runs: sorted by its heads, filtered by words, walked through by arrow keys.

import { element, mark } from "../dom";
import { drawn, type Command, type Model, type Row } from "./model";
import { arranged, type Key, type Order } from "./order";
import { tableRow } from "./row";

const HEADS: [Key, string, string][] = [
  ["state", "state", "wbd-state"],
  ["id", "run", "wbd-run"],
  ["environment", "environment", "wbd-environment"],
  ["algorithm", "algorithm", "wbd-algorithm"],
  ["seed", "seed", "wbd-seed"],
  ["steps", "steps", "wbd-steps"],
  ["steps_per_second", "steps/s", "wbd-rate"],
  ["episode_return", "return", "wbd-return"],
  ["heard", "last heard", "wbd-heard"],
];
const SECOND = 1000;

/** Build the table; `filter` is the field above it. */
export function table(model: Model, filter: HTMLInputElement, send: (command: Command) => void) {
  const order: Order = { key: null, descending: false, filter: "" };
  const rows = new Map<string, ReturnType<typeof tableRow>>();
  const body = element("tbody");
  const all = element("input", { type: "checkbox", class: "wbd-box", "aria-label": "compare all that the table shows", "data-testid": "compare-all" });
  const heads = HEADS.map(([key, label, style]) => head(key, label, style));
  const root = element("div", { class: "wbd-table" }, element("table", {}, element("thead", {}, element("tr", {}, element("td", { class: "wbd-tick" }, all), ...heads)), body));
  const none = element("p", { class: "wbd-none" });
  root.append(none);
  filter.addEventListener("input", () => {
    order.filter = filter.value.trim();
    update();
  });
  body.addEventListener("keydown", walk);
  all.addEventListener("change", () => send({ kind: "compare", runs: arranged(model.get("runs"), order).map((row) => row.id), on: all.checked }));
  const timer = window.setInterval(tell, SECOND);

  function head(key: Key, label: string, style: string): HTMLElement {
    const button = element("button", { type: "button" }, label);
    const cell = element("th", { class: style, scope: "col" }, button);
    button.addEventListener("click", () => {
      const first = key === "steps" || key === "steps_per_second" || key === "episode_return" || key === "heard";
      if (order.key !== key) Object.assign(order, { key, descending: first });
      else if (order.descending === first) order.descending = !first;
      else order.key = null;
      for (const each of heads) mark(each, "aria-sort", null);
      if (order.key !== null) mark(cell, "aria-sort", order.descending ? "descending" : "ascending");
      update();
    });
    return cell;
  }

  function walk(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const here = (event.target as HTMLElement).closest("tr");
    if (step === undefined || here === null) return;
    const next = step > 0 ? here.nextElementSibling : here.previousElementSibling;
    next?.querySelector<HTMLElement>(".wbd-name")?.focus();
    event.preventDefault();
  }

  function made(id: string): ReturnType<typeof tableRow> {
    const row = tableRow(id, () => send({ kind: "focus", run: id }), (on) => send({ kind: "compare", runs: [id], on }));
    rows.set(id, row);
    return row;
  }

  function tell(): void {
    const now = Date.now() / SECOND;
    for (const row of model.get("runs")) rows.get(row.id)?.age(row, now);
  }

  function update(): void {
    const { focus, compared } = model.get("choice");
    const sparks = model.get("sparks");
    const shown = arranged(model.get("runs"), order);
    const known = new Set(model.get("runs").map((row) => row.id));
    const coloured = drawn(compared);
    for (const id of rows.keys()) if (!known.has(id)) rows.delete(id);
    const elements = shown.map((row: Row) => {
      const view = rows.get(row.id) ?? made(row.id);
      view.update(row, sparks[row.id] ?? [], row.id === focus, compared.includes(row.id), coloured.indexOf(row.id));
      return view.root;
    });
    const same = body.children.length === elements.length && elements.every((each, index) => body.children[index] === each);
    if (!same) body.replaceChildren(...elements); // Only then: it takes the focus away.
    const ticked = shown.filter((row) => compared.includes(row.id)).length;
    all.checked = ticked > 0 && ticked === shown.length;
    all.indeterminate = ticked > 0 && ticked < shown.length;
    none.textContent = known.size === 0 ? "No run yet: it appears here when its training begins." : shown.length === 0 ? "No run fits." : "";
    none.hidden = none.textContent === "";
    tell();
  }

  return { root, update, destroy: () => window.clearInterval(timer) };
}
