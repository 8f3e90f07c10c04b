// One curve: a uPlot made once and mutated ever after.

import uPlot from "uplot";
import { placeWords, tickOf, type Axis } from "./axes";
import { smooth, smoothable, type Curve } from "./curves";
import { element, write } from "./dom";
import { compact, measure, score, words } from "./format";
import { axis, fade, lastPoint } from "./ink";
import { changeWords, drawLeft, drawMarks, nearby, type Mark } from "./marks";
import type { Theme } from "./theme";

const EMPTY: Curve = [new Float32Array(), new Float32Array()];

/** What the plots of one panel have in common. */
export interface Shared {
  key: string; // joins their cursors
  axis: Axis;
  range: [number, number];
  smoothing: number;
  marks: Mark[];
  theme: Theme;
  zoom(range: [number, number] | null): void;
}

/** Pad the data's range by a twentieth, and open a flat one. */
function padded(_: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low + high)) return [0, 1];
  const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low >= 0 && low - margin < 0 ? 0 : low - margin, high + margin];
}

/** Label the shared axis, less what the right edge would cut. */
function placeLabels({ range, axis }: Shared, splits: number[]): (string | null)[] {
  return splits.map((at) => (at > range[0] + 0.97 * (range[1] - range[0]) ? null : tickOf(axis, at)));
}

/** Build the plot of `name`. */
export function plot(name: string, large: boolean, shared: Shared) {
  const reading = element("span", { class: "wbp-reading", "data-testid": `panel-reading-${name}` });
  const canvas = element("div", { class: "wbp-canvas" });
  const root = element(
    "figure",
    { class: large ? "wbp-plot wbp-main" : "wbp-plot", "data-testid": `panel-plot-${name}`, "data-points": "0" },
    element("figcaption", {}, element("span", { class: "wbp-label" }, words(name)), reading),
    canvas,
  );
  let curve = EMPTY;
  let left: Curve | null = null;
  const format = name === "steps_per_second" ? compact : large ? score : measure;

  function read(self: uPlot): void {
    const index = self.cursor.idx;
    const hovered = index !== null && index !== undefined && (self.cursor.left ?? -1) >= 0;
    const value = curve[1][hovered ? index : curve[1].length - 1];
    const at = large && hovered ? `  ${placeWords(shared.axis, curve[0][index] ?? 0)}` : "";
    const changed = large ? nearby(self, shared.marks).map(({ change }) => changeWords(change)) : [];
    const silent = value === undefined || (large && !hovered); // The newest return already stands above in large.
    const smoothed = smoothable(curve, shared.smoothing) ? "smoothed" : "";
    write(reading, changed.length ? changed.join(", ") : silent ? smoothed : format(value) + at);
  }

  function select(self: uPlot): void {
    const { left: from, width } = self.select;
    if (width >= 4) shared.zoom([self.posToVal(from, "x"), self.posToVal(from + width, "x")]);
    self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  const points = { show: false };
  const lines = () => [...curve, smooth(curve, shared.smoothing)] as unknown as uPlot.AlignedData;
  const stroke = () => shared.theme.curve(name);
  const muted = () => shared.theme.text;
  const drawn = new uPlot(
    {
      width: 300,
      height: large ? 220 : 84,
      legend: { show: false },
      padding: [6, 8, large ? 0 : 4, 0],
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false, dist: 4 },
        bind: { dblclick: () => () => (shared.zoom(null), null) },
        sync: { key: shared.key, scales: ["x", null] },
        points: { size: 7 },
      },
      scales: { x: { time: false, range: () => shared.range }, y: { range: padded } },
      axes: [
        axis(() => shared.theme, { size: large ? 26 : 0, show: large, space: 90, values: (self, splits) => (self.data[0].length > 0 ? placeLabels(shared, splits) : []) }),
        axis(() => shared.theme, { side: 3, size: 46, space: large ? 42 : 24 }),
      ],
      series: [{}, { stroke: () => `${stroke()}59`, width: 1, points }, { stroke, width: large ? 2 : 1.5, ...(large ? { fill: fade(stroke) } : {}), points }],
      hooks: {
        setCursor: [read],
        setData: [read],
        setSelect: [select],
        drawAxes: [drawLeft(() => left, muted)],
        draw: [drawMarks(() => shared.marks, muted, large), lastPoint(stroke, () => shared.theme.surface, large)],
      },
    },
    lines(),
    canvas,
  );

  return {
    root,
    canvas,
    /** Draw a curve over the shared axis, and the one that was left. */
    show(next: Curve, wasLeft: Curve | null): void {
      curve = next;
      left = wasLeft;
      root.dataset.points = String(curve[0].length);
      drawn.setData(lines());
    },
    resize({ width, height }: DOMRectReadOnly): void {
      if (width > 0 && height > 0) drawn.setSize({ width: Math.floor(width), height: Math.floor(height) });
    },
    repaint: () => drawn.redraw(false, true),
    destroy: () => drawn.destroy(),
  };
}
