// Marks on the curves: where a hyperparameter changed, and what came after a checkpoint that somebody went back to.

import type uPlot from "uplot";
import type { Curve } from "./curves";
import { literal, words } from "./format";
import type { Change } from "./model";

export interface Mark {
  place: number;
  change: Change;
}

const NEAR = 6; // pixels between the cursor and a mark that is meant

/** Write a change in words: learning rate 0.003 → 0.001. */
export function changeWords({ name, old, new: now }: Change): string {
  const write = (value: unknown) => (typeof value === "number" ? literal(value) : String(value));
  return `${words(name)} ${write(old)} → ${write(now)}`;
}

/** Draw each mark as a line from top to bottom, with a handle where there is room for one. */
export function drawMarks(marks: () => Mark[], colour: () => string, handles: boolean) {
  return (self: uPlot): void => {
    const { ctx } = self;
    const { left, top, width, height } = self.bbox;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour();
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const { place } of marks()) {
      const x = Math.round(self.valToPos(place, "x", true)) + 0.5;
      if (x < left || x > left + width) continue;
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
      if (!handles) continue;
      const size = 4 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x - size, top);
      ctx.lineTo(x + size, top);
      ctx.lineTo(x, top + 1.4 * size);
      ctx.fill();
    }
    ctx.restore();
  };
}

/** The marks under the cursor. */
export function nearby(self: uPlot, marks: Mark[]): Mark[] {
  const at = self.cursor.left ?? -1;
  return at < 0 ? [] : marks.filter(({ place }) => Math.abs(self.valToPos(place, "x") - at) <= NEAR);
}

/** Draw, pale, the curve that was left. */
export function drawLeft(left: () => Curve | null, colour: () => string) {
  return (self: uPlot): void => {
    const curve = left();
    if (!curve || curve[0].length < 2) return;
    const { ctx, bbox } = self;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.beginPath();
    curve[0].forEach((x, index) => ctx.lineTo(self.valToPos(x, "x", true), self.valToPos(curve[1][index]!, "y", true)));
    ctx.strokeStyle = colour();
    ctx.globalAlpha = 0.55;
    ctx.lineWidth = devicePixelRatio;
    ctx.stroke();
    ctx.restore();
  };
}
