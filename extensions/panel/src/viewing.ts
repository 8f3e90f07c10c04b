// How the curves are looked at: over what, which part, how smooth. It is the page's own affair; Python never hears of it.

import { AXES, type Axis } from "./axes";
import { USUAL } from "./curves";
import { element } from "./dom";

const SUPPRESS = { "data-lm-suppress-shortcuts": "true" };
const PARTS = { all: "whole run", half: "last half", tenth: "last tenth", own: "selection" } as const;
export type Part = keyof typeof PARTS;

/** The slider's place of the usual smoothing; it rises from none at 0 to a fifth of the curve at 100. */
const USUAL_PLACE = 50;
const smoothingAt = (place: number): number => (place === 0 ? 0 : USUAL * 8 ** ((place - USUAL_PLACE) / USUAL_PLACE));

export interface Viewing {
  axis: Axis;
  part: Part;
  smoothing: number;
}

/** Build the controls; `changed` is called with what was chosen. */
export function viewing(changed: (chosen: Viewing) => void) {
  const chosen: Viewing = { axis: "steps", part: "all", smoothing: USUAL };
  const axis = select("over", AXES, (value) => (chosen.axis = value as Axis));
  const part = select("show", PARTS, (value) => (chosen.part = value as Part));
  const own = part.list.querySelector<HTMLOptionElement>('[value="own"]')!;
  own.hidden = true;
  const slider = element("input", { ...SUPPRESS, type: "range", min: "0", max: "100", value: String(USUAL_PLACE), class: "wbp-slider", "aria-label": "smoothing", "data-testid": "panel-smoothing" });
  slider.addEventListener("input", () => {
    chosen.smoothing = smoothingAt(Number(slider.value));
    paint();
    changed(chosen);
  });

  function paint(): void {
    slider.style.setProperty("--wbp-part", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", slider.value === "0" ? "none" : `${slider.value} %`);
  }

  function select(label: string, options: Record<string, string>, choose: (value: string) => void) {
    const list = element("select", { ...SUPPRESS, class: "wbp-select", "data-testid": `panel-${label}` });
    list.append(...Object.entries(options).map(([value, text]) => element("option", { value }, text)));
    list.addEventListener("change", () => {
      choose(list.value);
      changed(chosen);
    });
    return { list, root: element("label", { class: "wbp-choice" }, element("span", {}, label), list) };
  }

  paint();
  return {
    root: element("div", { class: "wbp-viewing", role: "group", "aria-label": "Curves" }, element("label", { class: "wbp-choice" }, element("span", {}, "smooth"), slider), axis.root, part.root),
    chosen,
    /** Say which part is shown, after a drag across a plot or a double click on it. */
    show(shown: Part): void {
      chosen.part = shown;
      own.hidden = shown !== "own";
      part.list.value = shown;
    },
  };
}
