// All curves of a panel: one large, the rest as small multiples on the same step axis with one cursor.

import type { Curve } from "./curves";
import { element, unique } from "./dom";
import { plot } from "./plot";
import { isDark, readTheme, watchTheme } from "./theme";

const MAIN = "episode_return";

/** Build the charts inside `panel`, whose style gives the colours. */
export function charts(panel: HTMLElement) {
  const small = element("div", { class: "wbp-multiples" });
  const root = element("div", { class: "wbp-charts" }, small);
  const key = unique();
  const plots = new Map<string, ReturnType<typeof plot>>();
  let theme = readTheme(panel);
  let end = 1;
  let pending: Map<string, Curve> | null = null;
  let frame = 0;

  function add(name: string): ReturnType<typeof plot> {
    const made = plot(name, name === MAIN, key, () => end, () => theme);
    plots.set(name, made);
    if (name === MAIN) root.prepend(made.root);
    else small.append(made.root);
    sizes.observe(made.root);
    return made;
  }

  function draw(): void {
    frame = 0;
    if (pending) {
      const curves = pending;
      pending = null;
      end = Math.max(1, ...[...curves.values()].map(([steps]) => steps.at(-1) ?? 0));
      for (const [name, curve] of curves) (plots.get(name) ?? add(name)).show(curve);
    }
    for (const each of plots.values()) each.resize();
  }

  function schedule(): void {
    if (frame === 0) frame = requestAnimationFrame(draw);
  }

  function retheme(): void {
    panel.dataset.dark = String(isDark(panel));
    theme = readTheme(panel);
    for (const each of plots.values()) each.repaint();
  }

  const sizes = new ResizeObserver(schedule);
  const unwatch = watchTheme(() => requestAnimationFrame(retheme));
  add(MAIN);

  return {
    root,
    retheme,
    show(curves: Map<string, Curve>): void {
      pending = curves;
      schedule();
    },
    destroy(): void {
      cancelAnimationFrame(frame);
      sizes.disconnect();
      unwatch();
      for (const each of plots.values()) each.destroy();
      plots.clear();
    },
  };
}
