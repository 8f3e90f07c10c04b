// The wire: a frame is asked for when the last one is on the screen, and only while somebody may see it.

import type { Header, Request, SceneModel } from "./model";

const PATIENCE = 2500; // milliseconds without a frame after which it is asked for again

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
  let owed = true; // whether the last frame is drawn and not yet answered
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
    heard = performance.now();
    lost(false);
    take(content, buffers);
  };
  const timer = window.setInterval(() => {
    if (cost === null || owed || performance.now() - heard < PATIENCE) return;
    heard = performance.now();
    if (moving()) lost(true);
    more(true);
  }, PATIENCE);

  const listen = () => model.on("msg:custom", onMessage as never);
  const deafen = () => model.off("msg:custom", onMessage as never);
  listen();
  return {
    ask,
    drawn() {
      owed = true;
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
