// The controls of lanes at play.

import { element } from "../dom";
import { button, choice } from "./controls";
import type { Frame } from "./frame";
import type { Ask, Header } from "./model";
import { timeline } from "./timeline";

const PACES = [1, 2, 5, 10, 20, 30, 50, 60, 120, 300, 1000];
const SUPPRESS = { "data-lm-suppress-shortcuts": "true" };

/** Build the controls; `extra` stands beside them. */
export function transport(ask: Ask, ...extra: HTMLElement[]) {
  let playing = false;
  const restart = button("restart", "restart", "Restart with the seed", () => ask({ kind: "restart", seed: seed.value.trim() }));
  const back = button("back", "back", "One step back", () => ask({ kind: "back" }));
  const toggle = button("toggle", "pause", "Pause", () => ask({ kind: playing ? "pause" : "play" }));
  const step = button("step", "step", "One step on", () => ask({ kind: "step" }));
  const branch = button("branch", "branch", "Go on from here: later moments are forgotten", () => ask({ kind: "branch" }), "Go on from here");
  const moments = timeline(ask);
  const pace = choice("pace", "steps/s", PACES.map((each) => [String(each), String(each)]), (value) => ask({ kind: "pace", pace: Number(value) }));
  const policy = choice("policy", "actions", [["greedy", "likeliest"], ["sample", "drawn"]], (value) => ask({ kind: "policy", policy: value as Header["policy"] }));
  const seed = element("input", { ...SUPPRESS, type: "text", inputmode: "numeric", autocomplete: "off", class: "wbs-select wbs-seed", "data-testid": "scene-seed", "aria-label": "Seed" });
  let shown = "";
  seed.addEventListener("keydown", (event) => {
    if (event.key === "Enter") ask({ kind: "restart", seed: seed.value.trim() });
    if (event.key === "Escape") seed.value = shown;
  });
  const field = element("label", { class: "wbs-field" }, element("span", { class: "wbp-label" }, "seed"), seed);
  const first = element("div", { class: "wbs-line" }, restart.root, back.root, toggle.root, step.root, moments.root, branch.root);
  const second = element("div", { class: "wbs-line wbs-second" }, pace.root, policy.root, field, ...extra);
  const root = element("div", { class: "wbs-transport", "data-testid": "scene-transport" }, first, second);
  toggle.root.classList.add("wbs-toggle");

  function known(value: number): void {
    const text = String(value);
    const list = pace.root.querySelector("select")!;
    if ([...list.options].some((each) => each.value === text)) return;
    list.append(element("option", { value: text }, text));
  }

  return {
    root,
    state(header: Header): void {
      root.hidden = header.mode !== "play";
      playing = header.playing;
      toggle.show(playing ? "pause" : "play", playing ? "Pause" : "Play");
      known(header.pace);
      pace.show(String(header.pace));
      policy.show(header.policy);
      if (document.activeElement !== seed || seed.value === shown) seed.value = header.seed;
      shown = header.seed;
    },
    show(frame: Frame): void {
      const { place = 0, kept = 1, branches = false } = frame.header;
      branch.root.hidden = !branches || place >= kept - 1;
      back.root.disabled = place === 0;
      moments.show(frame);
    },
  };
}
