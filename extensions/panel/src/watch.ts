// The scene inside the panel: the same code over the panel's wire, begun when its section is opened.

import { element, write } from "./dom";
import type { Model } from "./model";
import type { About, Request, SceneModel } from "./scene/model";
import { SceneView } from "./scene/view";
import { section } from "./section";

/** What Python tells when a page has asked to watch: what it must know, or why it cannot. */
export type WatchMessage = { kind: "watch"; about: About; problem?: undefined } | { kind: "watch"; problem: string };

/** See the panel's model as a scene's. Both hear the same messages; what the scene asks is wrapped. */
function sceneModel(model: Model, about: About): SceneModel {
  return {
    get: (name: string) => (name === "about" ? about : "scene") as never,
    on: (event: string, callback: (...given: never[]) => void) => model.on(event, callback as () => void),
    off: (event: string, callback: (...given: never[]) => void) => model.off(event, callback),
    send: (request: unknown) => model.send({ kind: "scene", request: request as Request }),
  };
}

/** Build the section over the model of the moment. */
export function watch(model: () => Model) {
  const place = element("div", { class: "wbp-watch" });
  const note = element("p", { class: "wbp-none", role: "status", "data-testid": "watch-note" }, "Looking …");
  const { root } = section("watch", "Watch", element("div", {}, note, place), toggled);
  let scene: SceneView | null = null;
  let about: About | null = null;

  function toggled(open: boolean): void {
    if (open) model().send({ kind: "watch" });
    else fold();
  }

  function fold(): void {
    scene?.destroy();
    scene = null;
    note.hidden = false;
  }

  return {
    root,
    take(message: WatchMessage): void {
      if (!root.open || scene !== null) return;
      if (message.problem !== undefined) return write(note, message.problem);
      about = message.about;
      scene = new SceneView(sceneModel(model(), about));
      place.append(scene.root);
      scene.shown();
      note.hidden = true;
    },
    /** Go on over another proxy of the model. */
    move(): void {
      if (about !== null) scene?.move(place, sceneModel(model(), about));
    },
    destroy: fold,
  };
}
