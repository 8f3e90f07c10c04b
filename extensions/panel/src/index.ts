// The widget's entry: one View for each place the panel is shown.

import type { Model } from "./model";
import { speaking } from "./speaking";
import { View } from "./view";

const views = new Map<string, Set<View>>();

/** Find a view whose output was emptied under it, as JupyterLab does when it refreshes an output. */
function orphan(candidates: Set<View>): View | undefined {
  return [...candidates].find(({ root, wasShown }) => wasShown && !root.isConnected && root.closest(".jp-OutputArea") === null);
}

function render({ model: given, el }: { model: Model; el: HTMLElement }): () => void {
  const model = speaking(given);
  const key = model.get("key");
  const family = views.get(key) ?? new Set<View>();
  views.set(key, family);
  const adopted = orphan(family);
  const view = adopted ?? new View(model);
  family.add(view);
  if (adopted) adopted.move(el, model);
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
