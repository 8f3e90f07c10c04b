// Small controls that the scene is built of.

import { element, mark, write } from "../dom";
import { type Icon, icon } from "./icons";

const SUPPRESS = { "data-lm-suppress-shortcuts": "true" };

/** A button with an icon, and a word beside it if it has one; what it does is its label. */
export function button(name: string, shape: Icon, label: string, press: () => void, word = "") {
  const drawing = element("span", { class: "wbs-icon" });
  const beside = element("span");
  const root = element("button", { ...SUPPRESS, type: "button", class: word ? "wbs-button wbs-worded" : "wbs-button", "data-testid": `scene-${name}` }, drawing, ...(word ? [beside] : []));
  const show = (other: Icon, text: string, now = word) => {
    icon(drawing, other);
    write(beside, now);
    mark(root, "aria-label", text);
    mark(root, "title", text);
  };
  show(shape, label);
  root.addEventListener("click", press);
  return { root, show };
}

/** A choice of few, with a label. */
export function choice(name: string, label: string, options: [string, string][], change: (value: string) => void) {
  const list = element("select", { ...SUPPRESS, class: "wbs-select", "data-testid": `scene-${name}`, "aria-label": label });
  list.append(...options.map(([value, text]) => element("option", { value }, text)));
  list.addEventListener("change", () => change(list.value));
  const root = element("label", { class: "wbs-field" }, element("span", { class: "wbp-label" }, label), list);
  return {
    root,
    show(value: string): void {
      if (document.activeElement !== list || list.value !== value) list.value = value;
    },
  };
}

/** Two or more ways, of which one is on; arrow keys move between them, as between radio buttons. */
export function ways<Way extends string>(label: string, options: [Way, string][], change: (way: Way) => void) {
  const root = element("div", { class: "wbs-ways", role: "radiogroup", "aria-label": label });
  const buttons = options.map(([way, text]) => {
    const made = element("button", { ...SUPPRESS, type: "button", role: "radio", "data-testid": `scene-way-${way}` }, text);
    made.addEventListener("click", () => change(way));
    return made;
  });
  root.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const from = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = (from + by + buttons.length) % buttons.length;
    buttons[to]!.focus();
    change(options[to]![0]);
  });
  root.append(...buttons);
  return {
    root,
    show(way: Way): void {
      options.forEach(([each], k) => {
        mark(buttons[k]!, "aria-checked", String(each === way));
        mark(buttons[k]!, "tabindex", each === way ? "0" : "-1");
      });
    },
  };
}
