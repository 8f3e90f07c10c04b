// The wire: frames are asked for when one that wants an answer is on the screen, and only while somebody may see them.

import type { Header, Request, SceneModel } from "./model";

const PATIENCE = 4000; // milliseconds without a frame after which it is asked for again: Python rests for half as long
const LOOKS = 1000; // milliseconds between two looks at the time

export interface Link {
  ask(request: Request): void;
  /** Say that the last frame is drawn. */
  drawn(): void;
  /** Say what a drawing costs, in seconds; null while nobody looks. */
  look(cost: number | null): void;
  move(model: SceneModel): void;
  destroy(): void;
}

/** Listen for frames; `lost` is told whether a frame is overdue while `moving` says that one should come. */
export function link(
  model: SceneModel,
  take: (header: Header, buffers: DataView[]) => void,
  moving: () => boolean,
  lost: (overdue: boolean) => void,
): Link {
  let cost: number | null = null;
  let owed = true; // whether the last frame is drawn, wants an answer and has none yet
  let answer = true; // whether the last frame wants one
  let late = false;
  let last = -1;
  let heard = performance.now();

  const ask = (request: Request) => model.send(request);
  const more = (hello: boolean) => ask({ kind: "more", frame: last, hello, cost: cost ?? 0 });
  const settle = () => {
    if (!owed || cost === null) return;
    owed = false;
    heard = performance.now();
    more(last < 0);
  };
  const onMessage = (content: Header, buffers: DataView[]) => {
    if (content.kind !== "frame") return;
    last = content.number;
    answer = content.answer !== false;
    heard = performance.now();
    if (late) lost((late = false));
    take(content, buffers);
  };
  const timer = window.setInterval(() => {
    if (cost === null || owed || performance.now() - heard < PATIENCE) return;
    heard = performance.now();
    if (moving()) lost((late = true));
    more(true);
  }, LOOKS);

  const listen = () => model.on("msg:custom", onMessage as never);
  const deafen = () => model.off("msg:custom", onMessage as never);
  listen();
  return {
    ask,
    drawn() {
      owed = answer;
      settle();
    },
    look(next) {
      cost = next;
      settle();
    },
    move(other) {
      deafen();
      model = other;
      listen();
      owed = false;
      more(true);
    },
    destroy() {
      deafen();
      window.clearInterval(timer);
    },
  };
}
