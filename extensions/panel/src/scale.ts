// Between a hyperparameter's value and a slider's position, from 0 to 1000.

import type { Setting } from "./model";

export const TOP = 1000;
const WIDEST = 200; // of a linear slider, in units of the default

/** Tell whether a slider can serve the setting: it has two ends, and its default does not vanish between them. */
export function slides(setting: Setting): boolean {
  if (setting.low === null || setting.high === null || setting.high <= setting.low) return false;
  return logarithmic(setting) || setting.high - setting.low <= WIDEST * Math.max(1, Math.abs(Number(setting.default)));
}

function logarithmic(setting: Setting): boolean {
  return setting.log && setting.low !== null && setting.low > 0;
}

/** The slider's position of `value`. */
export function position(setting: Setting, value: number): number {
  const low = setting.low ?? 0;
  const high = setting.high ?? 1;
  const part = logarithmic(setting) ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.round(TOP * Math.min(1, Math.max(0, part)));
}

/** The value at the slider's position, in three significant digits, never outside the bounds. */
export function valueAt(setting: Setting, place: number): number {
  const low = setting.low ?? 0;
  const high = setting.high ?? 1;
  const part = place / TOP;
  const exact = logarithmic(setting) ? low * (high / low) ** part : low + (high - low) * part;
  const rounded = setting.kind === "int" ? Math.round(exact) : Number(exact.toPrecision(3));
  return Math.min(high, Math.max(low, rounded));
}
