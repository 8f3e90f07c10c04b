// The part of the compared curves that is looked at, and these in full, which Python reads when asked.

import type uPlot from "uplot";
import { decode, type Curve } from "../curves";
import type { Command, Model, PartMessage } from "./model";

const LEAST = 4; // pixels of a drag

/** Keep the part; `changed` is called when there is another one to draw, or more of it. */
export function zoom(model: Model, send: (command: Command) => void, changed: () => void) {
  let span: [number, number] | null = null;
  let asked = "";
  let full: { content: PartMessage; curves: Map<string, Curve> } | null = null;

  function heard(content: PartMessage, buffers: DataView[]): void {
    if (content.kind !== "part" || !buffers[0]) return;
    full = { content, curves: decode(content.outline, buffers[0]) };
    changed();
  }

  function show(next: [number, number] | null): void {
    span = next;
    changed();
  }

  model.on("msg:custom", heard);
  return {
    show,
    shown: () => span,
    /** Take the part that was dragged over. */
    select(self: uPlot): void {
      const { left, width } = self.select;
      if (width >= LEAST) show([Math.max(0, self.posToVal(left, "x")), self.posToVal(left + width, "x")]);
      self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    },
    /** The curves of these runs in full, where they have come; they are asked for once. */
    curves(names: string[], metric: string): Map<string, Curve> | null {
      const key = span ? JSON.stringify([span, metric, names]) : "";
      if (key !== asked && span) send({ kind: "part", low: span[0], high: span[1] });
      if (key !== asked) full = null;
      asked = key;
      const fits = span && full && full.content.low === span[0] && full.content.high === span[1] && full.content.metric === metric;
      return fits && full ? full.curves : null;
    },
    destroy: () => model.off("msg:custom", heard),
  };
}
