// The dashboard's entry: the runs of a folder, and the curves of those that are compared. The panel stands below it.

import { element, mark, write } from "../dom";
import { speaking } from "../speaking";
import { isDark, readTheme, watchTheme } from "../theme";
import { about } from "./about";
import { batches } from "./batch";
import type { Command, Model } from "./model";
import { overlay } from "./overlay";
import { table } from "./table";

/** Say how many runs there are, and what they do. */
function summary(model: Model): string {
  const rows = model.get("runs");
  const count = (state: string) => rows.filter((row) => row.state === state).length;
  const parts = [`${rows.length} ${rows.length === 1 ? "run" : "runs"}`];
  for (const [state, word] of [["running", "training"], ["paused", "paused"], ["failed", "failed"], ["lost", "lost"]] as const) {
    if (count(state) > 0) parts.push(`${count(state)} ${word}`);
  }
  return parts.join(" · ");
}

function render({ model: given, el }: { model: Model; el: HTMLElement }): () => void {
  const model = speaking(given);
  const send = (command: Command) => model.send(command);
  const root = element("section", { class: "wbp wbd", role: "region", "aria-label": "Runs", "data-testid": "dashboard" });
  let theme = readTheme(root);
  const folder = element("span", { class: "wbp-environment" });
  const count = element("span", { class: "wbp-status", role: "status", "data-testid": "summary" });
  const filter = element("input", { type: "search", class: "wbd-filter", placeholder: "Filter", "aria-label": "Filter the runs", "data-testid": "filter" });
  const runs = table(model, filter, send);
  const description = about();
  const compare = overlay(model, () => theme, send);
  const batch = batches(model, send);
  root.append(element("header", { class: "wbp-header" }, element("div", { class: "wbp-title" }, folder, count), filter), runs.root, description.root, batch.root, compare.root);
  el.append(root);

  const retheme = () => {
    mark(root, "data-dark", String(isDark(el)));
    theme = readTheme(root);
    compare.repaint();
  };
  const onRuns = () => {
    write(folder, model.get("folder"));
    write(count, summary(model));
    runs.update();
  };
  const onChoice = () => {
    runs.update();
    compare.update();
    description.update(model.get("choice"));
  };
  const listeners: [string, () => void][] = [
    ["change:runs", onRuns],
    ["change:sparks", runs.update],
    ["change:choice", onChoice],
    ["change:curves", compare.update],
    ["change:batches", batch.update],
  ];
  for (const [event, listener] of listeners) model.on(event, listener);
  const unwatch = watchTheme(() => requestAnimationFrame(retheme));
  retheme();
  onRuns();
  requestAnimationFrame(() => {
    retheme();
    onChoice();
    batch.update();
  });
  return () => {
    for (const [event, listener] of listeners) model.off(event, listener);
    unwatch();
    runs.destroy();
    compare.destroy();
    root.remove();
  };
}

export default { render };
