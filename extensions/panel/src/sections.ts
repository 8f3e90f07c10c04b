// What a panel offers beside the training itself, folded until somebody opens it.

import type { Message, Model } from "./model";
import { network } from "./network";
import { watch } from "./watch";

/** Build the sections that Python offers, none in a dashboard; `paint` calls back with the next frame. */
export function sections(model: () => Model, paint: (work: () => void) => void) {
  const scene = watch(model);
  const inside = network((look) => model().send(look), paint);
  const offered = model().get("sections") ?? [];
  scene.root.hidden = !offered.includes("watch");
  inside.root.hidden = !offered.includes("network");
  return {
    roots: [scene.root, inside.root],
    take(content: Message): void {
      if (content.kind === "watch") scene.take(content);
      if (content.kind === "network") inside.take(content);
    },
    /** Go on over another proxy of the model. */
    move: scene.move,
    destroy(): void {
      scene.destroy();
      inside.destroy();
    },
  };
}
