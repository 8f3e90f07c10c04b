// The widgets' entry: one view for each place a panel or a scene is shown.

import type { Model } from "./model";
import type { SceneModel } from "./scene/model";
import { SceneView } from "./scene/view";
import { speaking } from "./speaking";
import { View } from "./view";

type Shown = View | SceneView;

const views = new Map<string, Set<Shown>>();

const isScene = (model: Model | SceneModel): model is SceneModel => (model as SceneModel).get("kind") === "scene";

/** Find a view whose output was emptied under it, as JupyterLab does when it refreshes an output. */
function orphan(candidates: Set<Shown>): Shown | undefined {
  return [...candidates].find(({ root, wasShown }) => wasShown && !root.isConnected && root.closest(".jp-OutputArea") === null);
}

function render({ model: given, el }: { model: Model | SceneModel; el: HTMLElement }): () => void {
  const model = speaking(given as Model) as Model | SceneModel;
  const key = (model as SceneModel).get("key");
  const family = views.get(key) ?? new Set<Shown>();
  views.set(key, family);
  const adopted = orphan(family);
  const view = adopted ?? (isScene(model) ? new SceneView(model) : new View(model));
  family.add(view);
  if (adopted) adopted.move(el, model as Model & SceneModel);
  else el.append(view.root);
  requestAnimationFrame(() => view.shown());
  return () => {
    if (view.root.parentElement !== el) return; // It moved on and belongs to another output now.
    view.destroy();
    family.delete(view);
    if (family.size === 0) views.delete(key);
  };
}

export default { render };
