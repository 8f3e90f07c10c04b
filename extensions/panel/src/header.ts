// The first line: what trains, its state, and the buttons.

import { element, icon, mark, write } from "./dom";
import type { Command, State, Status } from "./model";

const WORDS: Record<Status, string> = {
  new: "ready",
  running: "training",
  paused: "paused",
  stopped: "stopped",
  failed: "failed",
  lost: "lost: its process is gone",
  gone: "released",
};

function label(action: "start" | "pause" | "resume", state: State): string {
  if (action === "pause") return "Pause";
  if (action === "resume" || (state.steps > 0 && state.steps < state.goal)) return "Resume";
  return state.steps > 0 ? "Continue" : "Start";
}

/** Build the header; `send` carries the buttons' commands. */
export function header(send: (command: Command) => void) {
  const dot = element("span", { class: "wbp-dot", "aria-hidden": "true" });
  const environment = element("span", { class: "wbp-environment" });
  const algorithm = element("span", { class: "wbp-algorithm" });
  const status = element("span", { class: "wbp-status", role: "status", "data-testid": "panel-status" });
  const suppress = { type: "button", "data-lm-suppress-shortcuts": "true" };
  const toggleIcon = element("span", { class: "wbp-icon" });
  const toggleLabel = element("span");
  const button = (name: "step" | "stop" | "save", title: string) => {
    const mark = element("span", { class: "wbp-icon" });
    const made = element("button", { ...suppress, class: "wbp-button", title, "data-testid": `panel-${name}` }, mark, element("span", {}, name[0]!.toUpperCase() + name.slice(1)));
    icon(mark, name);
    made.addEventListener("click", () => send({ kind: name }));
    return made;
  };
  const toggle = element("button", { ...suppress, class: "wbp-button wbp-primary", "data-testid": "panel-toggle" }, toggleIcon, toggleLabel);
  const step = button("step", "Take one iteration, then wait");
  const stop = button("stop", "End after the present iteration, with a checkpoint");
  const save = button("save", "Write a checkpoint that stays");
  toggle.addEventListener("click", () => send({ kind: toggle.dataset.action as "start" | "pause" | "resume" }));
  const buttons = element("div", { class: "wbp-buttons", role: "toolbar", "aria-label": "Training" }, toggle, step, stop, save);
  const root = element(
    "header",
    { class: "wbp-header" },
    element("div", { class: "wbp-title" }, dot, environment, algorithm, status),
    buttons,
  );

  function update(state: State): void {
    const action = state.status === "running" ? "pause" : state.status === "paused" ? "resume" : "start";
    const active = state.status === "running" || state.status === "paused";
    write(environment, state.environment);
    write(algorithm, state.algorithm);
    write(status, WORDS[state.status]);
    mark(toggle, "data-action", action);
    write(toggleLabel, label(action, state));
    icon(toggleIcon, action === "pause" ? "pause" : "start");
    toggle.disabled = state.status === "gone";
    step.disabled = state.status === "gone";
    stop.disabled = !active;
    save.disabled = state.status === "gone" || (state.steps === 0 && !active);
    buttons.hidden = state.steerable === false;
  }
  return { root, update };
}
