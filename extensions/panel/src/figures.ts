// Progress towards the goal, and the figures: mean episode return in large, then speed, time and steps.

import { element, mark, write } from "./dom";
import { clock, compact, score, whole } from "./format";
import type { State } from "./model";

function figure(label: string, hook: string, large = false) {
  const value = element("span", { class: "wbp-value", "data-testid": `panel-${hook}` });
  const root = element("div", { class: large ? "wbp-figure wbp-large" : "wbp-figure" }, element("span", { class: "wbp-label" }, label), value);
  return { root, value };
}

/** Build the progress bar and the figures. */
export function figures() {
  const bar = element("div", { class: "wbp-bar" });
  const progress = element("div", { class: "wbp-progress", role: "progressbar", "aria-label": "Steps", "aria-valuemin": "0", "aria-valuemax": "100", "data-testid": "panel-progress" }, bar);
  const result = figure("mean episode return", "return", true);
  const rate = figure("steps/s", "rate");
  const elapsed = figure("training time", "elapsed");
  const remaining = figure("remaining", "remaining");
  const steps = figure("steps", "steps");
  const row = element("div", { class: "wbp-figures" }, result.root, rate.root, steps.root, elapsed.root, remaining.root);

  function update(state: State): void {
    const fraction = state.goal > 0 ? Math.min(1, state.steps / state.goal) : 0;
    const percent = Math.floor(fraction * 100);
    bar.style.transform = `scaleX(${fraction})`;
    mark(progress, "aria-valuenow", String(percent));
    mark(progress, "aria-valuetext", `${whole(state.steps)} of ${whole(state.goal)} steps, ${percent} %`);
    write(result.value, score(state.episode_return));
    mark(result.value, "data-empty", state.episode_return === null ? "true" : null);
    write(rate.value, compact(state.steps_per_second));
    write(elapsed.value, clock(state.seconds));
    write(remaining.value, clock(state.remaining));
    write(steps.value, state.goal > 0 ? `${compact(state.steps)} / ${compact(state.goal)}` : compact(state.steps));
    mark(steps.value, "data-steps", String(state.steps));
    mark(steps.value, "title", whole(state.steps));
  }
  return { progress, row, update };
}
