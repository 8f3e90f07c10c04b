// What the policy thinks of the lane that is looked at: its value, what it would do, and what it sees.

import { element, mark, write } from "../dom";
import { measure } from "../format";
import type { Frame } from "./frame";
import type { About } from "./model";
import { observations } from "./observations";

interface Row {
  root: HTMLElement;
  bar: HTMLElement;
  number: HTMLElement;
}

function row(name: string, kind: string): Row {
  const bar = element("span", { class: "wbs-bar" });
  const number = element("span", { class: "wbs-number" });
  const label = element("span", { class: "wbs-name", title: name }, name);
  const root = element("div", { class: "wbs-row", "data-kind": kind, "data-name": name }, label, element("span", { class: "wbs-track", "aria-hidden": "true" }, bar), number);
  return { root, bar, number };
}

const percent = (part: number) => `${(100 * Math.min(1, Math.max(0, part))).toFixed(2)}%`;

/** Build the part beside the picture. */
export function insight(about: About) {
  const { choices, numbers, names } = about.action;
  const count = choices.reduce((sum, n) => sum + n, 0);
  const value = element("div", { class: "wbp-value wbs-value", "data-testid": "scene-value" });
  const rows = names.map((name, k) => row(name, k < count ? "probability" : "number"));
  const list = element("div", { class: "wbs-rows", "data-testid": "scene-policy" }, ...rows.map((each) => each.root));
  const silent = element("p", { class: "wbs-plain" }, `${about.algorithm} does not tell what it thinks: it has no method outlook.`);
  silent.hidden = true;
  const seen = observations(about.observation);
  const title = (text: string) => element("div", { class: "wbp-label" }, text);
  const root = element("aside", { class: "wbs-insight", "aria-label": "What the policy thinks" },
    element("div", {}, title("value, expected discounted return"), value),
    element("div", {}, title(count ? "policy, probability of each action" : "policy, mean ± standard deviation"), list, silent),
    element("div", {}, title("observation"), seen.root),
  );

  function probabilities(frame: Frame): void {
    let start = 0;
    choices.forEach((n, component) => {
      const [choice, taken] = [frame.choice[component], frame.taken[component]];
      for (let k = 0; k < n; k++) {
        const { root, bar, number } = rows[start + k]!;
        const probability = frame.policy[start + k] ?? NaN;
        bar.style.width = percent(probability);
        mark(root, "data-value", String(probability));
        mark(root, "data-chosen", k === choice ? "true" : null);
        mark(root, "data-hand", frame.header.hand && k === taken ? "true" : null);
        write(number, Number.isNaN(probability) ? "–" : probability.toFixed(3));
      }
      start += n;
    });
  }

  function means(frame: Frame): void {
    for (let k = 0; k < numbers; k++) {
      const { root, bar, number } = rows[count + k]!;
      const [mean, std] = [frame.policy[count + k]!, frame.policy[count + numbers + k]!];
      const [low, high] = [about.action.low[k] ?? -3, about.action.high[k] ?? 3];
      const at = (x: number) => Math.min(1, Math.max(0, (x - low) / (high - low)));
      bar.style.left = percent(at(mean - std));
      bar.style.width = percent(at(mean + std) - at(mean - std));
      root.style.setProperty("--wbs-mean", percent(at(mean)));
      mark(root, "data-value", String(mean));
      mark(root, "data-hand", frame.header.hand ? "true" : null);
      write(number, `${measure(mean)} ± ${measure(std)}`);
    }
  }

  return {
    root,
    show(frame: Frame): void {
      const known = frame.policy.length > 0;
      const worth = frame.figures[frame.header.lane]!.value;
      write(value, measure(worth));
      mark(value, "data-value", String(worth));
      mark(value, "data-empty", Number.isFinite(worth) ? null : "true");
      list.hidden = !known && !choices.length;
      silent.hidden = known;
      probabilities(frame);
      if (known) means(frame);
      seen.show(frame.observation);
    },
  };
}
