// A part of the panel that is folded until somebody opens it.

import { element } from "./dom";

/** Build a section; `toggled` is told when it is opened and when it is folded. */
export function section(name: string, title: string, content: Node, toggled: (open: boolean) => void) {
  const count = element("span", { class: "wbp-count" });
  const summary = element("summary", { "data-lm-suppress-shortcuts": "true" }, `${title} `, count);
  const root = element("details", { class: "wbp-section", "data-testid": `panel-${name}` }, summary, content);
  root.addEventListener("toggle", () => toggled(root.open));
  return { root, count };
}
