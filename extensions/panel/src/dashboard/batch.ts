// Batches: a form that begins one, folded away until it is asked for, and how far each is.

import { element, mark, write } from "../dom";
import type { Batch, Command, Model } from "./model";

const EXAMPLE = "learning_rate=1e-3,3e-3 seed=0..4";

/** Say how far a batch is. */
function told(batch: Batch): string {
  const ended = batch.done + batch.failed;
  const failed = batch.failed > 0 ? `, ${batch.failed} failed` : "";
  const state = batch.executed === ended < batch.tasks ? "" : batch.executed ? ", summing up" : ", stopped";
  return `${batch.done} of ${batch.tasks} done${failed}${state}`;
}

/** Build the part of a list for one batch. */
function item(name: string, end: () => void) {
  const [done, failed] = [element("span", { class: "wbd-done" }), element("span", { class: "wbd-failed" })];
  const words = element("span", { class: "wbd-told" });
  const stop = element("button", { type: "button", class: "wbd-plain", "aria-label": `Stop ${name}` }, "Stop");
  const bar = element("span", { class: "wbd-bar", "aria-hidden": "true" }, done, failed);
  stop.addEventListener("click", end);
  return {
    root: element("li", { "data-testid": `batch-${name}` }, element("span", { class: "wbd-entry-name", title: name }, name), bar, words, stop),
    update(batch: Batch): void {
      done.style.width = `${(100 * batch.done) / batch.tasks}%`;
      failed.style.width = `${(100 * batch.failed) / batch.tasks}%`;
      write(words, told(batch));
      stop.hidden = !batch.executed;
    },
  };
}

/** Build the form and the list. */
export function batches(model: Model, send: (command: Command) => void) {
  const notebook = element("select", { class: "wbp-select", "aria-label": "notebook", "data-testid": "batch-notebook" });
  const grid = element("input", { type: "text", class: "wbd-field wbd-grid", placeholder: EXAMPLE, spellcheck: "false", "aria-label": "parameters", "data-testid": "batch-grid" });
  const workers = element("input", { type: "number", class: "wbd-field wbd-workers", min: "1", placeholder: "auto", "aria-label": "at a time", "data-testid": "batch-workers" });
  const begin = element("button", { type: "submit", class: "wbd-plain", "data-testid": "batch-begin" }, "Start");
  const known = element("p", { class: "wbd-known" });
  const remark = element("p", { class: "wbd-remark", role: "status", "data-testid": "batch-remark" });
  const label = (text: string, field: HTMLElement) => element("label", { class: "wbp-choice" }, element("span", {}, text), field);
  const form = element("form", {}, label("notebook", notebook), label("parameters", grid), label("at a time", workers), begin);
  const list = element("ul");
  const count = element("summary", {}, "Batches");
  const root = element("details", { class: "wbd-about wbd-batches", "data-testid": "batches" }, count, form, known, remark, list);
  const items = new Map<string, ReturnType<typeof item>>();
  root.hidden = true;

  root.addEventListener("toggle", () => root.open && send({ kind: "find" }));
  notebook.addEventListener("change", update);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    write(remark, "Starting…");
    mark(remark, "data-tone", null);
    remark.hidden = false;
    send({ kind: "begin", notebook: notebook.value, grid: grid.value, workers: workers.value === "" ? null : Number(workers.value) });
  });

  function update(): void {
    const { notebooks, batches: found, remark: said } = model.get("batches");
    root.hidden = found === undefined;
    if (notebooks === undefined || found === undefined) return;
    const names = notebooks.map(([name]) => name);
    if ([...notebook.options].map((each) => each.value).join("\n") !== names.join("\n")) {
      const chosen = notebook.value;
      notebook.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
      if (names.includes(chosen)) notebook.value = chosen;
    }
    const parameters = notebooks.find(([name]) => name === notebook.value)?.[1] ?? [];
    write(known, parameters.length > 0 ? `It has ${parameters.join(", ")}.` : "");
    write(remark, said?.text ?? "");
    remark.hidden = remark.textContent === "";
    known.hidden = known.textContent === "";
    mark(remark, "data-tone", said?.tone ?? null);
    const going = found.filter((batch) => batch.executed).length;
    write(count, going > 0 ? `Batches · ${going} going on` : "Batches");
    for (const name of items.keys()) if (!found.some((batch) => batch.name === name)) items.delete(name);
    const elements = found.map((batch) => {
      const view = items.get(batch.name) ?? item(batch.name, () => send({ kind: "end", batch: batch.name }));
      items.set(batch.name, view);
      view.update(batch);
      return view.root;
    });
    if (elements.length !== list.children.length || elements.some((each, index) => list.children[index] !== each)) list.replaceChildren(...elements);
  }

  return { root, update };
}
