// One hyperparameter: a slider with a numeric entry, a select, or a checkbox. Python's value is the one shown.

import { element, mark } from "./dom";
import { literal, words } from "./format";
import type { Setting, Value } from "./model";
import { position, slides, TOP, valueAt } from "./scale";

const SUPPRESS = { "data-lm-suppress-shortcuts": "true" };
const KEY_STEP = TOP / 100;
let count = 0;

export interface Control {
  root: HTMLElement;
  /** Show Python's value and, if the last one was refused, why. */
  update(value: Value, refusal: string | null, enabled: boolean): void;
}

/** Build the control of `setting`; `change` sends a value to Python. */
export function control(setting: Setting, change: (value: Value) => void): Control {
  const id = `wbp-${++count}`;
  const refusalText = element("span", { class: "wbp-refusal", role: "alert", id: `${id}-refusal` });
  const label = element("label", { class: "wbp-name", for: id, title: setting.help }, words(setting.name));
  const body = setting.kind === "bool" ? checkbox(id, change) : setting.choices ? select(id, setting.choices, change) : number(id, setting, change);
  const root = element("div", { class: "wbp-control", "data-testid": `panel-control-${setting.name}` }, label, ...body.parts, refusalText);
  return {
    root,
    update(value, refusal, enabled) {
      body.show(value);
      if (refusalText.textContent !== (refusal ?? "")) refusalText.textContent = refusal ?? "";
      for (const input of body.parts) {
        input.disabled = !enabled;
        mark(input, "aria-invalid", refusal ? "true" : null);
        mark(input, "aria-describedby", refusal ? refusalText.id : null);
      }
    },
  };
}

function checkbox(id: string, change: (value: Value) => void) {
  const box = element("input", { ...SUPPRESS, type: "checkbox", id, class: "wbp-checkbox" });
  box.addEventListener("change", () => change(box.checked));
  return { parts: [box], show: (value: Value) => void (box.checked = value === true) };
}

function select(id: string, choices: Value[], change: (value: Value) => void) {
  const list = element("select", { ...SUPPRESS, id, class: "wbp-select" });
  list.append(...choices.map((choice, index) => element("option", { value: String(index) }, String(choice))));
  list.addEventListener("change", () => change(choices[Number(list.value)] as Value));
  return { parts: [list], show: (value: Value) => void (list.value = String(choices.indexOf(value))) };
}

function number(id: string, setting: Setting, change: (value: Value) => void) {
  const entry = element("input", { ...SUPPRESS, type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false", class: "wbp-entry", "data-testid": `panel-entry-${setting.name}` });
  let shown = "";
  let committed = "";
  const commit = () => {
    if (entry.value === committed || entry.value === shown) return; // Enter came before the change of leaving.
    committed = entry.value;
    change(entry.value.trim());
  };
  entry.addEventListener("input", () => (committed = ""));
  entry.addEventListener("change", commit);
  entry.addEventListener("keydown", (event) => {
    if (event.key === "Enter") commit();
    if (event.key === "Escape") entry.value = shown;
  });
  const showEntry = (value: Value) => {
    const text = literal(Number(value));
    const { activeElement } = entry.getRootNode() as Document | ShadowRoot; // A shadow's host hides it from the document.
    if (activeElement !== entry || entry.value === shown) entry.value = text;
    shown = text;
  };
  if (!slides(setting)) {
    entry.id = id;
    return { parts: [entry], show: showEntry };
  }
  entry.setAttribute("aria-label", `${words(setting.name)}, exact value`);
  const slider = element("input", { ...SUPPRESS, type: "range", id, min: "0", max: String(TOP), step: "1", class: "wbp-slider", "data-testid": `panel-slider-${setting.name}` });
  slider.addEventListener("input", () => change(valueAt(setting, Number(slider.value))));
  slider.addEventListener("keydown", (event) => {
    const direction = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (direction === undefined) return;
    event.preventDefault(); // The browser would move by one part in a thousand.
    slider.value = String(Number(slider.value) + KEY_STEP * direction);
    change(valueAt(setting, Number(slider.value)));
  });
  const show = (value: Value) => {
    const place = String(position(setting, Number(value)));
    slider.value = place;
    slider.style.setProperty("--wbp-part", `${Number(place) / 10}%`);
    mark(slider, "aria-valuetext", literal(Number(value)));
    showEntry(value);
  };
  return { parts: [slider, entry], show };
}
