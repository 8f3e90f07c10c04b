// What curves are drawn over: environment steps, or the episodes or the training time that belong to them.

import type { Curve } from "./curves";
import { clock, compact, tick } from "./format";

export type Axis = "steps" | "episodes" | "seconds";
export const AXES: Record<Axis, string> = { steps: "steps", episodes: "episodes", seconds: "training time" };

/** Translate between steps and an axis; both rise, and values between two known ones lie on the line between them. */
export interface Scale {
  /** From environment steps to the axis. */
  along(steps: number): number;
  /** From the axis to environment steps. */
  back(place: number): number;
}

const SAME: Scale = { along: (steps) => steps, back: (place) => place };

/** Build the scale of `axis` from the curves that came with it; the steps themselves where it is not known. */
export function scale(axis: Axis, curves: Map<string, Curve>): Scale {
  const known = axis === "steps" ? undefined : curves.get(axis);
  if (!known || known[0].length === 0) return SAME;
  const [steps, places] = known;
  return { along: (value) => between(steps, places, value), back: (place) => between(places, steps, place) };
}

/** Draw a curve over another axis. */
export function over(curve: Curve, { along }: Scale, axis: Axis): Curve {
  return axis === "steps" ? curve : [curve[0].map(along), curve[1]];
}

/** The value at `x` of the line through the points, which begins at the origin and goes on beyond its end as it ended. */
function between(xs: Float32Array, ys: Float32Array, x: number): number {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle]! < x) low = middle + 1;
    else high = middle;
  }
  const right = Math.min(low, xs.length - 1);
  const [x0, y0] = right > 0 ? [xs[right - 1]!, ys[right - 1]!] : [0, 0];
  const [x1, y1] = [xs[right]!, ys[right]!];
  return x1 > x0 ? y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) : y1;
}

/** Write a place on an axis in words: at 1.2 M steps. */
export function placeWords(axis: Axis, value: number): string {
  if (axis === "steps") return `at ${compact(value)} steps`;
  return axis === "episodes" ? `at episode ${compact(Math.round(value))}` : `after ${clock(value)}`;
}

/** Write an axis's tick. */
export function tickOf(axis: Axis, value: number): string {
  return axis === "seconds" ? (value === 0 ? "0" : value < 60 ? `${tick(value)} s` : clock(Math.round(value))) : tick(value);
}
