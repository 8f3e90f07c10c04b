// Hands on: keys that take actions in place of the policy, while they are held.

import { element, mark } from "../dom";
import type { About, Action, Ask, Header } from "./model";

const SIGNS: Record<string, string> = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "space" };

function named(about: About, action: Action): string {
  if (typeof action === "number") return about.action.names[action] ?? String(action);
  return action.map((x, k) => (x || action.length === 1 ? `${about.action.names[k] ?? k} ${x}` : "")).filter(Boolean).join(", ").replace("-", "−") || "nothing";
}

/** Take keys on `box`; `header` says what is on. */
export function keyboard(about: About, box: HTMLElement, ask: Ask, header: () => Header | null) {
  const held: string[] = [];
  const chips = new Map<string, HTMLElement>();
  const legend = element("div", { class: "wbs-legend", "data-testid": "scene-keys" });
  const root = element("div", { class: "wbs-keys" }, element("span", { class: "wbp-label" }, "take over"), legend);
  root.hidden = Object.keys(about.keys).length === 0;

  function tell(): void {
    const key = held.at(-1) ?? null;
    for (const [each, chip] of chips) mark(chip, "aria-pressed", String(each === key));
    ask({ kind: "key", key });
  }

  function press(key: string, again: boolean): void {
    const now = header();
    if (now?.mode !== "play" || (again && now.playing)) return;
    if (!held.includes(key)) held.push(key);
    tell();
  }

  function release(key: string): void {
    const place = held.indexOf(key);
    if (place < 0) return;
    held.splice(place, 1);
    tell();
  }

  function releaseAll(): void {
    if (!held.length) return;
    held.length = 0;
    tell();
  }

  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in about.keys) press(event.key, event.repeat);
    else if (event.key === " " && !event.repeat) ask({ kind: header()?.playing ? "pause" : "play" });
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  box.addEventListener("keyup", (event) => release(event.key));
  box.addEventListener("blur", releaseAll);
  box.addEventListener("pointerdown", () => box.focus({ preventScroll: true }));

  for (const [key, action] of Object.entries(about.keys)) {
    const chip = element("button", { type: "button", class: "wbs-chip", "aria-pressed": "false", tabindex: "-1", "data-testid": `scene-key-${key}` }, element("kbd", {}, SIGNS[key] ?? key), named(about, action));
    chip.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      box.focus({ preventScroll: true });
      press(key, false);
    });
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) chip.addEventListener(end, () => release(key));
    chips.set(key, chip);
    legend.append(chip);
  }
  return { root };
}
