// The part of the run that is shown, in environment steps, and its curves in full, which Python sends when asked.

import type { Curve } from "./curves";
import type { Part } from "./viewing";

export type Span = [number, number];

/** What came of the part that was asked for. */
export interface Detail {
  low: number;
  high: number;
  curves: Map<string, Curve>;
}

const LAST = { half: 0.5, tenth: 0.9 } as const;
const ALL_TO_COME = 1e18; // steps
const PATIENCE = 120; // milliseconds of rest before a part is asked for
const MOVED = 0.02; // of where a part begins, after which it is asked for again

/** Keep the part; `look` asks for it, or says with `null` that the whole run is seen again. */
export function parts(look: (span: Span | null) => void) {
  let asked: Span | null = null;
  let wanted: Span | null = null;
  let timer = 0;
  const state = { own: null as Span | null, detail: null as Detail | null };

  function ask(): void {
    timer = 0;
    asked = wanted;
    if (!asked) state.detail = null;
    look(asked);
  }

  return {
    state,
    /** The part called `name` of a run of `end` steps; null for the whole. */
    span(name: Part, end: number): Span | null {
      if (name === "own") return state.own;
      return name === "all" ? null : [LAST[name] * end, ALL_TO_COME];
    },
    /** The curves in full, if they cover what is shown; they are asked for once it has stood still. */
    curves(shown: Span | null, end: number): Map<string, Curve> | null {
      wanted = shown;
      const moved = shown && asked ? Math.abs(shown[0] - asked[0]) > MOVED * shown[0] || shown[1] !== asked[1] : shown !== asked;
      if (moved && timer === 0) timer = window.setTimeout(ask, PATIENCE);
      const { detail } = state;
      const fits = shown && detail && detail.low <= shown[0] && detail.high >= Math.min(shown[1], end);
      return fits ? detail.curves : null;
    },
    destroy: () => window.clearTimeout(timer),
  };
}
