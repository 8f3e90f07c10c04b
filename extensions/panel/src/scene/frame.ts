// A frame, decoded: arrays over the buffers that Python packed (workbench/ui/scene/frames.py).

import type { Lane } from "../picture/expression";
import type { About, Header } from "./model";

/** Of one lane. */
export interface Figures {
  total: number;
  length: number;
  reward: number;
  value: number;
  before: number;
}

export interface Frame {
  header: Header;
  lanes: Lane[];
  figures: Figures[];
  /** Of the lane that is looked at. */
  observation: Float32Array;
  policy: Float32Array;
  choice: Float32Array;
  taken: Float32Array;
  trace: Float32Array;
  picture: DataView | null;
}

type Numbers = Float32Array | Int32Array;

const EMPTY = new Float32Array(0);

function floats(view: DataView | undefined): Float32Array {
  return view ? new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)) : EMPTY;
}

function column<Kind extends Numbers>(all: Kind, columns: number, index: number): Kind {
  const found = new (all.constructor as new (count: number) => Kind)(columns ? all.length / columns : 0);
  for (let row = 0; row < found.length; row++) found[row] = all[row * columns + index]!;
  return found;
}

/** Read a frame; null where it says only how things stand. */
export function decode(header: Header, buffers: DataView[], about: About): Frame | null {
  if (!header.lanes) return null;
  const { lanes, lane, shown, numbers, parts } = header;
  const packed = floats(buffers[0]);
  const state: Numbers = about.whole ? new Int32Array(packed.buffer) : packed;
  const observation = floats(buffers[1]);
  const figures = floats(buffers[2]);
  const close = floats(buffers[3]);
  const columns = Array.from({ length: lanes }, (_, k) => ({
    state: column(state, lanes, k),
    observation: shown === lanes ? column(observation, shown, k) : EMPTY,
  }));
  return {
    header,
    lanes: columns,
    figures: columns.map((_, k) => {
      const [total, length, reward, value, before] = [...column(figures, lanes, k)] as [number, number, number, number, number];
      return { total, length, reward, value, before };
    }),
    observation: column(observation, shown, shown === lanes ? lane : 0),
    policy: close.subarray(0, numbers),
    choice: close.subarray(numbers, numbers + parts),
    taken: close.subarray(numbers + parts, numbers + 2 * parts),
    trace: floats(buffers[4]),
    picture: buffers[5]?.byteLength ? buffers[5] : null,
  };
}
