// The curves of several runs over one step axis, smoothed, each in the colour of its box in the table.

import uPlot from "uplot";
import { decode, smooth, USUAL } from "../curves";
import { element, write } from "../dom";
import { compact, measure, words } from "../format";
import { axis } from "../ink";
import { type Theme } from "../theme";
import { colour, type Command, type Model } from "./model";

const HEIGHT = 260;

/** Build the overlay; it is hidden until two runs are compared. */
export function overlay(model: Model, theme: () => Theme, send: (command: Command) => void) {
  const metric = element("select", { class: "wbp-select", "aria-label": "metric", "data-testid": "compare-metric" });
  const legend = element("div", { class: "wbd-legend" });
  const reading = element("span", { class: "wbp-reading" });
  const canvas = element("div", { class: "wbd-canvas" });
  const root = element("figure", { class: "wbd-compare", "data-testid": "compare" }, element("figcaption", {}, metric, legend, reading), canvas);
  let drawn: uPlot | null = null;
  let shape = "";
  metric.addEventListener("change", () => send({ kind: "metric", name: metric.value }));

  function read(self: uPlot): void {
    const at = (self.cursor.left ?? -1) >= 0 && self.cursor.idx != null ? self.data[0][self.cursor.idx] : undefined;
    write(reading, at === undefined ? "smoothed" : `at ${compact(at)} steps`);
  }

  function build(names: string[], data: uPlot.AlignedData): uPlot {
    return new uPlot(
      {
        width: Math.max(200, canvas.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        padding: [8, 20, 0, 0],
        cursor: { y: false, drag: { x: true, y: false }, points: { size: 7 } },
        scales: { x: { time: false } },
        axes: [axis(theme, { size: 26, space: 90 }), axis(theme, { side: 3, size: 52, space: 42 })],
        series: [{}, ...names.map((_, index) => ({ stroke: colour(index), width: 1.75, spanGaps: true, points: { show: false } }))],
        hooks: { setCursor: [read] },
      },
      data,
      canvas,
    );
  }

  function update(): void {
    const { compared, metric: chosen, metrics } = model.get("choice");
    root.hidden = compared.length < 2;
    if (root.hidden) return;
    const options = metrics.map((name) => element("option", { value: name }, words(name)));
    if ([...metric.options].map((each) => each.value).join() !== metrics.join()) metric.replaceChildren(...options);
    metric.value = chosen;
    const curves = decode(model.get("outline"), model.get("curves"));
    const tables = compared.map((id) => {
      const curve = curves.get(id) ?? [new Float32Array(), new Float32Array()];
      return [[...curve[0]], [...smooth(curve as [Float32Array, Float32Array], USUAL)]] as unknown as uPlot.AlignedData;
    });
    const data = uPlot.join(tables);
    legend.replaceChildren(...compared.map((id, index) => entry(id, colour(index), curves.get(id)?.[1].at(-1))));
    if (drawn === null || shape !== compared.join("\n")) {
      drawn?.destroy();
      drawn = build(compared, data);
      shape = compared.join("\n");
    } else drawn.setData(data);
    read(drawn);
  }

  function entry(id: string, tint: string, last: number | undefined): HTMLElement {
    const chip = element("span", { class: "wbd-chip" });
    chip.style.background = tint;
    return element("span", { class: "wbd-entry" }, chip, element("span", { class: "wbd-entry-name", title: id }, id), element("b", {}, measure(last ?? null)));
  }

  const sizes = new ResizeObserver(() => drawn?.setSize({ width: Math.max(200, canvas.clientWidth), height: HEIGHT }));
  sizes.observe(canvas);
  return {
    root,
    update,
    repaint: () => drawn?.redraw(false, true),
    destroy(): void {
      sizes.disconnect();
      drawn?.destroy();
    },
  };
}
