// One run of the table.

import { element, mark, write } from "../dom";
import { compact, score, whole } from "../format";
import { colour, type Row } from "./model";
import { spark } from "./spark";

const WORDS: Record<Row["state"], string> = {
  new: "new",
  running: "training",
  paused: "paused",
  stopped: "finished",
  failed: "failed",
  gone: "gone",
  lost: "lost",
  unreadable: "unreadable",
};

/** Say how long ago something was, as people do; `now` and `then` in seconds. */
export function ago(then: number, now: number): string {
  if (then <= 0) return "–";
  const seconds = Math.max(0, now - then);
  if (seconds < 5) return "now";
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]] as const) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  return `${Math.floor(seconds)} s ago`;
}

function word(row: Row): string {
  return row.state === "stopped" && row.steps < row.goal ? "stopped" : WORDS[row.state];
}

/** Build a row; `focus` and `tick` are told of clicks on it and on its box. */
export function tableRow(id: string, focus: () => void, tick: (on: boolean) => void) {
  const box = element("input", { type: "checkbox", class: "wbd-box", "aria-label": `compare ${id}` });
  const state = element("span", { class: "wbd-word" });
  const name = element("button", { type: "button", class: "wbd-name", title: id }, id);
  const cell = (key: string) => element("td", { class: `wbd-${key}` });
  const [environment, algorithm, seed] = [cell("environment"), cell("algorithm"), cell("seed")];
  const [steps, rate, result, heard] = [cell("steps"), cell("rate"), cell("return"), cell("heard")];
  const value = element("span");
  const line = spark();
  result.append(line.root, value);
  const root = element(
    "tr",
    { "data-testid": `run-${id}` },
    element("td", { class: "wbd-tick" }, box),
    element("td", { class: "wbd-state" }, element("span", { class: "wbp-dot", "aria-hidden": "true" }), state),
    element("td", { class: "wbd-run" }, name),
    ...[environment, algorithm, seed, steps, rate, result, heard],
  );
  root.addEventListener("click", (event) => {
    if (event.target !== box) focus();
  });
  let wanted: boolean | null = null; // what was ticked, until Python says so too
  box.addEventListener("change", () => tick((wanted = box.checked)));

  return {
    root,
    update(row: Row, points: number[], focused: boolean, ticked: boolean, place: number): void {
      mark(root, "data-state", row.state);
      mark(root, "aria-current", focused ? "true" : null);
      write(state, word(row));
      mark(state, "title", row.error);
      write(environment, row.environment);
      write(algorithm, row.algorithm);
      write(seed, row.seed === null ? "–" : String(row.seed));
      write(steps, row.error && row.state === "unreadable" ? "–" : compact(row.steps));
      mark(steps, "title", row.goal > 0 ? `${whole(row.steps)} of ${whole(row.goal)}` : whole(row.steps));
      write(rate, compact(row.steps_per_second));
      write(value, score(row.episode_return));
      line.show(points);
      if (wanted === null || wanted === ticked) {
        wanted = null;
        box.checked = ticked;
      }
      root.style.setProperty("--wbd-colour", place >= 0 ? colour(place) : "var(--wbp-text-3)");
    },
    /** Say anew how long ago it was heard. */
    age(row: Row, now: number): void {
      write(heard, ago(row.heard, now));
    },
  };
}
