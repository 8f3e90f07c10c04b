// One curve: a uPlot made once and mutated ever after.

import uPlot from "uplot";
import { smooth, smoothable, type Curve } from "./curves";
import { element, write } from "./dom";
import { compact, measure, score, tick, words } from "./format";
import { axis, fade, lastPoint } from "./ink";
import type { Theme } from "./theme";

const EMPTY: Curve = [new Float32Array(), new Float32Array()];

/** Pad the data's range by a twentieth, and open a flat one. */
function padded(_: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low + high)) return [0, 1];
  const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low >= 0 && low - margin < 0 ? 0 : low - margin, high + margin];
}

/** Label the step axis, less what the right edge would cut. */
function stepLabels(span: () => number): uPlot.Axis.DynamicValues {
  return (self, splits) => (self.data[0].length > 0 ? splits.map((at) => (at > 0.97 * span() ? null : tick(at))) : []);
}

/** Build the plot of `name`. `span` gives the shared end of the step axis; `key` joins the cursors of one panel. */
export function plot(name: string, large: boolean, key: string, span: () => number, theme: () => Theme) {
  const reading = element("span", { class: "wbp-reading", "data-testid": `panel-reading-${name}` });
  const canvas = element("div", { class: "wbp-canvas" });
  const root = element(
    "figure",
    { class: large ? "wbp-plot wbp-main" : "wbp-plot", "data-testid": `panel-plot-${name}`, "data-points": "0" },
    element("figcaption", {}, element("span", { class: "wbp-label" }, words(name)), reading),
    canvas,
  );
  let curve = EMPTY;
  const format = name === "steps_per_second" ? compact : large ? score : measure;

  function read(self: uPlot): void {
    const index = self.cursor.idx;
    const hovered = index !== null && index !== undefined && (self.cursor.left ?? -1) >= 0;
    const last = curve[1].length - 1;
    const value = curve[1][hovered ? index : last];
    const at = large && hovered ? `  at ${compact(curve[0][index] ?? null)} steps` : "";
    const silent = value === undefined || (large && !hovered); // The newest return already stands above in large.
    write(reading, silent ? (smoothable(curve) ? "smoothed" : "") : format(value) + at);
  }

  const points = { show: false };
  const lines = () => (large ? [...curve, smooth(curve)] : curve) as unknown as uPlot.AlignedData;
  const stroke = () => theme().curve(name);
  const drawn = new uPlot(
    {
      width: 300,
      height: large ? 220 : 84,
      legend: { show: false },
      padding: [6, 8, large ? 0 : 4, 0],
      cursor: { y: false, drag: { x: false, y: false, setScale: false }, sync: { key, scales: ["x", null] }, points: { size: 7 } },
      scales: { x: { time: false, range: () => [0, span()] }, y: { range: padded } },
      axes: [axis(theme, { size: large ? 26 : 0, show: large, space: 90, values: stepLabels(span) }), axis(theme, { side: 3, size: 46, space: large ? 42 : 24 })],
      series: large
        ? [{}, { stroke: () => `${stroke()}66`, width: 1, points }, { stroke, width: 2, fill: fade(stroke), points }]
        : [{}, { stroke, width: 1.5, points }],
      hooks: { setCursor: [read], setData: [read], draw: [lastPoint(stroke, () => theme().surface, large)] },
    },
    lines(),
    canvas,
  );

  return {
    root,
    show(next: Curve): void {
      curve = next;
      root.dataset.points = String(curve[0].length);
      drawn.setData(lines());
    },
    resize(): void {
      const width = canvas.clientWidth;
      const height = canvas.clientHeight;
      if (width > 0 && height > 0 && (width !== drawn.width || height !== drawn.height)) drawn.setSize({ width, height });
    },
    repaint: () => drawn.redraw(false, true),
    destroy: () => drawn.destroy(),
  };
}
