// Which runs the table shows, and in which order.

import type { Row } from "./model";

export type Key = "state" | "id" | "environment" | "algorithm" | "seed" | "steps" | "steps_per_second" | "episode_return" | "heard";

export interface Order {
  key: Key | null; // none: those that go on first, then the newest
  descending: boolean;
  filter: string;
}

const LIVELY: Partial<Record<Row["state"], number>> = { running: 2, paused: 1 };

/** Tell whether every word of `filter` occurs in what the row says. */
function fits(row: Row, filter: string): boolean {
  const text = `${row.id} ${row.environment} ${row.algorithm} seed=${row.seed} ${row.state}`.toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** Choose and arrange `rows`, which come oldest first. */
export function arranged(rows: Row[], { key, descending, filter }: Order): Row[] {
  const chosen = rows.filter((row) => fits(row, filter)).reverse();
  if (key === null) return chosen.sort((a, b) => (LIVELY[b.state] ?? 0) - (LIVELY[a.state] ?? 0));
  const sign = descending ? -1 : 1;
  return chosen.sort((a, b) => {
    const [x, y] = [a[key], b[key]];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1; // What is not known comes last.
    return sign * (typeof x === "string" ? x.localeCompare(String(y), undefined, { numeric: true }) : x - Number(y));
  });
}
