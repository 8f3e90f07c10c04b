// What is compared: the curves of several runs over one step axis, smoothed, each in the colour of its box in the table; or,
// below, groups of them and their statistics.

import uPlot from "uplot";
import { decode, smooth, USUAL, type Curve } from "../curves";
import { element, mark, write } from "../dom";
import { compact, measure, words } from "../format";
import { axis } from "../ink";
import { type Theme } from "../theme";
import { colour, drawn, type Command, type Model } from "./model";
import { zoom } from "./zoom";

const HEIGHT = 260;
const NONE: Curve = [new Float32Array(), new Float32Array()];

/** Build the comparison; it is hidden until two runs are ticked. */
export function overlay(model: Model, theme: () => Theme, send: (command: Command) => void) {
  const metric = element("select", { class: "wbp-select", "aria-label": "metric", "data-testid": "compare-metric" });
  const views = [false, true].map((on) => {
    const button = element("button", { type: "button", "data-testid": on ? "compare-groups" : "compare-curves" }, on ? "Groups" : "Curves");
    button.addEventListener("click", () => send({ kind: "group", on }));
    return button;
  });
  const legend = element("div", { class: "wbd-legend" });
  const reading = element("span", { class: "wbp-reading" });
  const canvas = element("div", { class: "wbd-canvas", "data-testid": "compare-canvas" });
  const remark = element("p", { class: "wbd-remark", role: "status", "data-testid": "compare-remark" });
  const choices = element("div", { class: "wbd-views", role: "group", "aria-label": "what is compared" }, ...views);
  const root = element("figure", { class: "wbd-compare", "data-testid": "compare" }, element("figcaption", {}, choices, metric, legend, reading), canvas, remark);
  let plot: uPlot | null = null;
  let shape = "";
  const part = zoom(model, send, update);
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
        cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: 4 }, points: { size: 7 }, bind: { dblclick: () => () => (part.show(null), null) } },
        scales: { x: { time: false, range: (_, low, high) => part.shown() ?? [low, high] } },
        axes: [axis(theme, { size: 26, space: 90 }), axis(theme, { side: 3, size: 52, space: 42 })],
        series: [{}, ...names.map((_, index) => ({ stroke: colour(index), width: 1.75, spanGaps: true, points: { show: false } }))],
        hooks: { setCursor: [read], setSelect: [part.select] },
      },
      data,
      canvas,
    );
  }

  function update(): void {
    const { compared, metric: chosen, metrics, grouped, remark: text } = model.get("choice");
    root.hidden = compared.length < 2;
    if (root.hidden) return;
    for (const [index, button] of views.entries()) mark(button, "aria-pressed", String(grouped === (index === 1)));
    for (const each of [canvas, legend, reading]) each.hidden = grouped;
    const options = metrics.map((name) => element("option", { value: name }, words(name)));
    if ([...metric.options].map((each) => each.value).join() !== metrics.join()) metric.replaceChildren(...options);
    metric.value = chosen;
    const names = drawn(compared);
    write(remark, grouped ? (text ?? "") : names.length < compared.length ? `The last ${names.length} of ${compared.length} runs; Groups compares all of them.` : "");
    remark.hidden = remark.textContent === "";
    if (!grouped) draw(names, chosen);
  }

  function draw(names: string[], chosen: string): void {
    const whole = decode(model.get("outline"), model.get("curves"));
    const full = part.curves(names, chosen);
    const tables = names.map((id) => {
      const [steps, values] = full?.get(id) ?? whole.get(id) ?? NONE;
      return [[...steps], [...smooth([steps, values], USUAL)]] as unknown as uPlot.AlignedData;
    });
    const data = uPlot.join(tables);
    legend.replaceChildren(...names.map((id, index) => entry(id, colour(index), whole.get(id)?.[1].at(-1))));
    mark(canvas, "data-detail", String(full !== null));
    if (plot === null || shape !== names.join("\n")) {
      plot?.destroy();
      plot = build(names, data);
      shape = names.join("\n");
    } else plot.setData(data);
    read(plot);
  }

  function entry(id: string, tint: string, last: number | undefined): HTMLElement {
    const chip = element("span", { class: "wbd-chip" });
    chip.style.background = tint;
    return element("span", { class: "wbd-entry" }, chip, element("span", { class: "wbd-entry-name", title: id }, id), element("b", {}, measure(last ?? null)));
  }

  const sizes = new ResizeObserver(() => canvas.clientWidth > 0 && plot?.setSize({ width: Math.max(200, canvas.clientWidth), height: HEIGHT }));
  sizes.observe(canvas);
  return {
    root,
    update,
    repaint: () => plot?.redraw(false, true),
    destroy(): void {
      sizes.disconnect();
      part.destroy();
      plot?.destroy();
    },
  };
}
