// What the run in focus is: folded away until it is asked for.

import { element } from "../dom";
import { words } from "../format";
import type { Choice } from "./model";

/** Build the description of a run. */
export function about() {
  const facts = element("dl");
  const values = element("dl", { class: "wbd-values" });
  const root = element("details", { class: "wbd-about", "data-testid": "about" }, element("summary", {}, "About this run"), facts, values);
  let shown = "";
  const pairs = (list: [string, string][], name: (text: string) => string) =>
    list.map(([key, value]) => element("div", {}, element("dt", {}, name(key)), element("dd", { title: value }, value)));
  return {
    root,
    update(choice: Choice): void {
      const key = JSON.stringify([choice.about, choice.hyperparameters]);
      root.hidden = choice.focus === null;
      if (key === shown) return;
      shown = key;
      facts.replaceChildren(...pairs(choice.about, (text) => text));
      values.replaceChildren(...pairs(choice.hyperparameters, words));
    },
  };
}
