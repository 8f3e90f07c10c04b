/** Numbers and times as the panel shows them. */

const MAGNITUDES = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

/** 1280000 becomes "1.28 M". */
export function amount(value: number): string {
  for (const [size, letter] of MAGNITUDES) {
    if (Math.abs(value) >= size * 0.9995) {
      return `${significant(value / size)} ${letter}`;
    }
  }
  return significant(value);
}

/** At most three significant digits, no fewer than the whole part has. */
export function significant(value: number): string {
  const decimals = Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return String(Number(value.toFixed(decimals)));
}

/** A return: one decimal from ten on, so that numbers below each other line up. */
export function score(value: number | null): string {
  return value === null ? "–" : value.toFixed(Math.abs(value) >= 9.995 ? 1 : 2).replace("-", "−");
}

/** How long ago: "just now", "12 min", "3 h", then the date. */
export function ago(then: string | null, now: number): string {
  const at = then === null ? Number.NaN : Date.parse(then);
  if (Number.isNaN(at)) {
    return "";
  }
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) {
    return "just now";
  }
  if (minutes < 60) {
    return `${minutes} min`;
  }
  if (minutes < 24 * 60) {
    return `${Math.floor(minutes / 60)} h`;
  }
  return new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

/** 93 seconds become "1:33". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}
