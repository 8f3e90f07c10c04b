// A histogram as a small drawing, with its ends written beneath it. Bars are as high as the square roots of their counts,
// so that few are seen beside many: behind relu, most are zero.

import { element, mark, write } from "./dom";
import { measure } from "./format";

export interface Histogram {
  low: number;
  high: number;
  counts: number[];
}

const SPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 24;

const end = (value: number) => (value === 0 ? "0" : measure(value));

/** Say which way the pen goes around all bars, each one unit wide. */
export function outline(counts: number[]): string {
  const most = Math.max(1, ...counts);
  const tops = counts.map((count) => HEIGHT * (1 - Math.sqrt(count / most)));
  return `M0 ${HEIGHT}${tops.map((top, k) => `V${Number(top.toFixed(2))}H${k + 1}`).join("")}V${HEIGHT}Z`;
}

/** Build the drawing of `what`, empty at first. */
export function histogram(what: string) {
  const [drawing, bars, zero] = (["svg", "path", "line"] as const).map((tag) => document.createElementNS(SPACE, tag)) as [SVGSVGElement, SVGPathElement, SVGLineElement];
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("role", "img");
  zero.setAttribute("y1", "0");
  zero.setAttribute("y2", String(HEIGHT));
  drawing.append(bars, zero);
  const low = element("span");
  const high = element("span");
  const root = element("div", { class: "wbp-histogram" }, drawing, element("div", { class: "wbp-ends" }, low, high));
  return {
    root,
    show(found: Histogram | null): void {
      root.hidden = found === null;
      if (found === null) return;
      const bins = found.counts.length === 1 ? [0, 0, 0, 0, ...found.counts, 0, 0, 0, 0] : found.counts;
      mark(drawing, "viewBox", `0 0 ${bins.length} ${HEIGHT}`);
      mark(bars, "d", outline(bins));
      mark(drawing, "aria-label", `${what} from ${measure(found.low)} to ${measure(found.high)}`);
      const within = found.low < 0 && found.high > 0;
      const at = String(within ? (bins.length * -found.low) / (found.high - found.low) : 0);
      zero.style.display = within ? "" : "none";
      mark(zero, "x1", at);
      mark(zero, "x2", at);
      write(low, end(found.low));
      write(high, found.low === found.high ? "" : end(found.high));
    },
  };
}
