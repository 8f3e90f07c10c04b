// How curves and axes are inked; colours are read at each draw so that a change of theme needs no new plot.

import type uPlot from "uplot";
import { tick } from "./format";
import type { Theme } from "./theme";

const FONT = '11px system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif';

/** An axis with faint grid lines and no ticks. */
export function axis(theme: () => Theme, options: { side?: 0 | 1 | 2 | 3; size: number; space: number; show?: boolean; values?: uPlot.Axis.DynamicValues }): uPlot.Axis {
  return {
    show: true,
    stroke: () => theme().text,
    font: FONT,
    gap: 6,
    grid: { stroke: () => theme().grid, width: 1 },
    ticks: { show: false },
    values: (self, splits) => (self.data[0].length > 0 ? splits.map(tick) : []),
    ...options,
  };
}

/** Fill below the curve, fading to nothing at the bottom. */
export function fade(stroke: () => string) {
  return (self: uPlot): CanvasGradient => {
    const { top, height } = self.bbox;
    const gradient = self.ctx.createLinearGradient(0, top, 0, top + height);
    gradient.addColorStop(0, `${stroke()}2e`);
    gradient.addColorStop(1, `${stroke()}00`);
    return gradient;
  };
}

/** Mark the newest point of the curve. */
export function lastPoint(stroke: () => string, surface: () => string, large: boolean) {
  return (self: uPlot): void => {
    const steps = self.data[0];
    const values = self.data.at(-1);
    const last = steps.length - 1;
    const value = values?.[last];
    if (last < 0 || value === null || value === undefined) return;
    const x = self.valToPos(steps[last] ?? 0, "x", true);
    const y = self.valToPos(value, "y", true);
    const radius = (large ? 4 : 2.5) * devicePixelRatio;
    const { ctx } = self;
    ctx.save();
    ctx.beginPath();
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
    ctx.fillStyle = stroke();
    ctx.strokeStyle = surface();
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.stroke();
    ctx.fill();
    ctx.restore();
  };
}
