// All curves of a panel: one large, the rest as small multiples over the same axis, with one cursor and one zoom.

import { over, scale } from "./axes";
import { USUAL, type Curve } from "./curves";
import { element, unique } from "./dom";
import type { Change } from "./model";
import { parts, type Detail, type Span } from "./part";
import { plot, type Shared } from "./plot";
import { isDark, readTheme, watchTheme } from "./theme";
import { viewing } from "./viewing";

const MAIN = "episode_return";
const NOT_DRAWN = new Set(["seconds", "episodes"]);
const last = (curves: Map<string, Curve>) => Math.max(1, ...[...curves.values()].map(([steps]) => steps.at(-1) ?? 0));

/**
 * Build the charts inside `panel`, whose style gives the colours.
 * `look` asks for a part of the run in full, in steps; `paint` calls back with the next frame.
 */
export function charts(panel: HTMLElement, look: (span: Span | null) => void, paint: (work: () => void) => void) {
  const small = element("div", { class: "wbp-multiples" });
  const plots = new Map<string, ReturnType<typeof plot>>();
  let curves = new Map<string, Curve>();
  let left = new Map<string, Curve>();
  let changes: Change[] = [];
  const part = parts(look);
  const shared: Shared = { key: unique(), axis: "steps", range: [0, 1], smoothing: USUAL, marks: [], theme: readTheme(panel), zoom };
  const controls = viewing(schedule);
  const root = element("div", { class: "wbp-charts" }, controls.root, small);

  function zoom(range: Span | null): void {
    const { back } = scale(shared.axis, curves);
    part.state.own = range && [Math.max(0, back(range[0])), back(range[1])];
    controls.show(range ? "own" : "all");
    schedule();
  }

  function add(name: string): ReturnType<typeof plot> {
    const made = plot(name, name === MAIN, shared);
    plots.set(name, made);
    if (name === MAIN) controls.root.after(made.root);
    else small.append(made.root);
    sizes.observe(made.canvas);
    return made;
  }

  function draw(): void {
    const { axis, smoothing, part: name } = controls.chosen;
    const end = Math.max(last(curves), last(left));
    const shown = part.span(name, end);
    const full = part.curves(shown, end);
    const along = scale(axis, curves);
    const place = (steps: number) => along.along(Math.min(steps, end));
    Object.assign(shared, { axis, smoothing, range: shown ? shown.map(place) : [0, place(end)] });
    shared.marks = changes.map((change) => ({ place: along.along(change.steps), change }));
    for (const [name, whole] of curves) {
      if (NOT_DRAWN.has(name)) continue;
      const was = left.get(name);
      (plots.get(name) ?? add(name)).show(over(full?.get(name) ?? whole, along, axis), was ? over(was, along, axis) : null);
    }
    root.dataset.detail = String(full !== null);
  }

  function schedule(): void {
    paint(draw);
  }

  function retheme(): void {
    panel.dataset.dark = String(isDark(panel));
    shared.theme = readTheme(panel);
    for (const each of plots.values()) each.repaint();
  }

  const sizes = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) [...plots.values()].find(({ canvas }) => canvas === target)?.resize(contentRect);
  });
  const unwatch = watchTheme(() => requestAnimationFrame(retheme));
  add(MAIN);

  return {
    root,
    retheme,
    show(next: Map<string, Curve>): void {
      curves = next;
      schedule();
    },
    showLeft(next: Map<string, Curve>): void {
      left = next;
      schedule();
    },
    showChanges(next: Change[]): void {
      changes = next;
      schedule();
    },
    showDetail(next: Detail): void {
      part.state.detail = next;
      schedule();
    },
    destroy(): void {
      part.destroy();
      sizes.disconnect();
      unwatch();
      for (const each of plots.values()) each.destroy();
      plots.clear();
    },
  };
}
