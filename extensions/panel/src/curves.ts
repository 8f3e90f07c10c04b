// The curves' trait: float32 steps, then float32 values, for each name of the outline in turn.

export type Curve = [Float32Array, Float32Array];

interface Packed {
  get(name: "outline"): [string, number][];
  get(name: "curves"): DataView;
}

/** Unpack the curves by name. */
export function decode(model: Packed): Map<string, Curve> {
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

const SPAN = 1 / 40; // of a curve: the time constant of its smoothing

/** Tell whether a curve is long enough to gain from smoothing. */
export function smoothable(curve: Curve): boolean {
  return curve[1].length * SPAN > 1.5;
}

/** Smooth by an exponential mean that looks back only and starts without bias; a short curve stays as it is. */
export function smooth(curve: Curve): Float32Array {
  const values = curve[1];
  if (!smoothable(curve)) return values;
  const keep = Math.exp(-1 / (values.length * SPAN));
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    sum = keep * sum + value;
    weight = keep * weight + 1;
    return sum / weight;
  });
}
