// The network, seen from the inside, while its section is open and on the screen: each look is asked for.

import { element, mark, write } from "./dom";
import { compact, whole } from "./format";
import { type Layer, layers } from "./layers";
import { section } from "./section";
import { sight } from "./sight";

const PATIENCE = 10_000; // milliseconds without an answer after which a look is asked for again

/** What Python tells of the network (workbench/ui/network/lookout.py), or why it cannot. */
export type NetworkMessage =
  | { kind: "network"; steps: number; observations: number; layers: Layer[]; problem?: undefined }
  | { kind: "network"; problem: string };

/** What a page asks: something newer than what it has `seen`. */
export interface Look {
  kind: "network";
  seen: number | null;
}

/** Build the section; `ask` carries what the page asks, `paint` calls back with the next frame. */
export function network(ask: (look: Look) => void, paint: (work: () => void) => void) {
  const table = layers();
  const note = element("p", { class: "wbp-none", role: "status", "data-testid": "network-note" }, "Looking …");
  const content = element("div", { class: "wbp-network" }, table.root, note);
  const { root, count } = section("network", "Network", content, () => settle());
  const view = sight(content, () => settle());
  let answer: NetworkMessage | null = null;
  let seen: number | null = null;
  let owed = true; // whether the last answer is drawn, and no other one asked for
  let asked = 0;
  table.root.hidden = true;

  function settle(again = false): void {
    if (!(owed || again) || !root.open || !view.seen()) return;
    owed = false;
    asked = performance.now();
    ask({ kind: "network", seen });
  }

  function show(): void {
    const message = answer!;
    owed = true;
    if (message.problem !== undefined) return write(note, message.problem);
    seen = message.steps;
    table.root.hidden = false;
    table.show(message.layers);
    const learned = message.layers.reduce((sum, layer) => sum + layer.parameters, 0);
    write(count, `${message.layers.length} layers, ${compact(learned)} parameters`);
    write(note, `After ${whole(message.steps)} steps; outputs for ${message.observations} observations of the lanes.`);
    mark(root, "data-steps", String(message.steps));
    settle();
  }

  const timer = window.setInterval(() => settle(performance.now() - asked > PATIENCE), PATIENCE);
  return {
    root,
    take(message: NetworkMessage): void {
      if (!root.open) return;
      answer = message;
      paint(show);
    },
    destroy(): void {
      window.clearInterval(timer);
      view.destroy();
    },
  };
}
