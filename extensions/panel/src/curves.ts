// The curves' trait: float32 steps, then float32 values, for each name of the outline in turn.

import type { Model } from "./model";

export type Curve = [Float32Array, Float32Array];

/** Unpack the curves by name. */
export function decode(model: Model): Map<string, Curve> {
  const outline = model.get("outline");
  const bytes = model.get("curves");
  const total = outline.reduce((sum, [, count]) => sum + 2 * count, 0);
  const curves = new Map<string, Curve>();
  // The buffer may start anywhere, and a float32 array only at a multiple of four: copy.
  const numbers = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
  if (numbers.length !== total) return curves;
  let start = 0;
  for (const [name, count] of outline) {
    curves.set(name, [numbers.subarray(start, start + count), numbers.subarray(start + count, start + 2 * count)]);
    start += 2 * count;
  }
  return curves;
}
