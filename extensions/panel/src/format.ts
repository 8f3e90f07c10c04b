// Numbers and times as the panel writes them: short, steady in width, no surprises.

const DASH = "–";
const UNITS: [number, string][] = [
  [1e9, " G"],
  [1e6, " M"],
  [1e3, " k"],
];

/** Write a count with three significant digits and a unit: 2.91 M, 482 k, 950. */
export function compact(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return DASH;
  for (const [size, unit] of UNITS) {
    if (Math.abs(value) < size * 0.9995) continue;
    const scaled = value / size;
    return scaled.toFixed(Math.abs(scaled) >= 99.95 ? 0 : Math.abs(scaled) >= 9.995 ? 1 : 2) + unit;
  }
  return Number.isInteger(value) ? String(value) : measure(value);
}

/** Write a count as an axis does: 2 M, 0.5 M, 300 k. */
export function tick(value: number): string {
  for (const [size, unit] of UNITS) if (Math.abs(value) >= size) return trim(value / size) + unit;
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(0).replace("-", "−");
  return trim(value).replace("-", "−");
}

function trim(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** Write a measured value with four significant digits, or in powers of ten when it is tiny. */
export function measure(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return DASH;
  const size = Math.abs(value);
  if (size >= 1e5) return compact(value);
  if (size !== 0 && size < 1e-3) return value.toExponential(1).replace("-", "−");
  const digits = size >= 100 ? 1 : size >= 10 ? 2 : size >= 0.1 || size === 0 ? 3 : size >= 0.01 ? 4 : 5;
  return value.toFixed(digits).replace("-", "−");
}

/** Write a return: one decimal, two when it is small. */
export function score(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return DASH;
  const size = Math.abs(value);
  return size >= 1e6 ? compact(value) : value.toFixed(size >= 10 ? 1 : 2).replace("-", "−");
}

/** Write a hyperparameter's value as one would type it in Python: 0.003, 2.5e-4, 12. */
export function literal(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-3) return Number(value.toPrecision(6)).toExponential();
  return String(Number(value.toPrecision(6)));
}

/** Write a count in full, in groups of three: 1,250,304. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Write a time in seconds: 8.4 s, 1:07, 2:03:10. */
export function clock(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return DASH;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const total = Math.round(seconds);
  const two = (part: number) => String(part).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(total % 60)}` : `${minutes}:${two(total % 60)}`;
}

/** Write a metric's or hyperparameter's name for people: learning rate. */
export function words(name: string): string {
  return name === "steps_per_second" ? "steps/s" : name.replaceAll("_", " ");
}
