import React from "react";

const WIDTH = 64;
const HEIGHT = 24;
const EDGE = 2;

/** A curve without axes; what it says stands in words beside it. */
export function Sparkline({ at, value }: { at: readonly number[]; value: readonly number[] }): React.JSX.Element | null {
  if (value.length < 2) {
    return null;
  }
  const low = Math.min(...value);
  const span = Math.max(...value) - low || 1;
  const across = (share: number) => EDGE + share * (WIDTH - 2 * EDGE);
  const down = (level: number) => HEIGHT - EDGE - ((level - low) / span) * (HEIGHT - 2 * EDGE);
  const points = value.map((level, index) => `${across(at[index] ?? 0).toFixed(1)} ${down(level).toFixed(1)}`);
  const last = value.length - 1;
  return (
    <svg className="rlw-Spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      <path className="rlw-Spark-line" d={`M${points.join("L")}`} />
      <circle className="rlw-Spark-end" cx={across(at[last] ?? 1)} cy={down(value[last] ?? low)} r={EDGE} />
    </svg>
  );
}
