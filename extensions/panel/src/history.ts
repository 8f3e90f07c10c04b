// The run's history: hyperparameters that changed while it trained, and the checkpoints that one can go back to.

import { element, write } from "./dom";
import { compact, whole } from "./format";
import { changeWords } from "./marks";
import type { Change, Command, Saved, State } from "./model";
import { section } from "./section";

const NEWEST = 50; // changes that are listed

/** Build the history; `send` carries what is asked of a checkpoint. */
export function history(send: (command: Command) => void) {
  const changesList = element("ol", { class: "wbp-list", reversed: "", "data-testid": "panel-changes" });
  const savedList = element("ol", { class: "wbp-list", "data-testid": "panel-checkpoints" });
  const columns = element(
    "div",
    { class: "wbp-columns" },
    element("section", {}, element("p", { class: "wbp-part" }, "Changes"), changesList),
    element("section", {}, element("p", { class: "wbp-part" }, "Checkpoints"), savedList),
  );
  const { root, count } = section("history", "History", columns, () => {});
  let changes: Change[] = [];
  let saved = "";
  let total = 0;

  function summarise(): void {
    const words = [changes.length === 1 ? "1 change" : `${changes.length} changes`, total === 1 ? "1 checkpoint" : `${total} checkpoints`];
    write(count, words.join(", "));
  }

  function item({ name, steps, kept, best }: Saved, steerable: boolean): HTMLElement {
    const notes = [...(best ? ["best"] : []), ...(kept ? ["saved"] : [])].join(", ");
    const back = element("button", { type: "button", class: "wbp-link", title: "Go back to it; the run so far stays, and training goes on in a new folder", "data-testid": `panel-rewind-${steps}`, "data-lm-suppress-shortcuts": "true" }, "Rewind");
    back.hidden = !steerable;
    back.addEventListener("click", () => send({ kind: "rewind", to: name }));
    return element("li", {}, element("span", { class: "wbp-at" }, `${whole(steps)} steps`), element("span", { class: "wbp-note" }, notes), back);
  }

  return {
    root,
    showChanges(next: Change[]): void {
      changes = next;
      const newest = changes.slice(-NEWEST).reverse();
      changesList.replaceChildren(...newest.map((change) => element("li", {}, element("span", { class: "wbp-at" }, compact(change.steps)), changeWords(change))));
      if (newest.length === 0) changesList.append(element("li", { class: "wbp-none" }, "A slider moved while training is noted here."));
      summarise();
    },
    update(state: State): void {
      const steerable = state.steerable !== false && state.status !== "gone";
      const now = JSON.stringify([state.checkpoints, steerable]);
      if (now === saved) return; // Buttons that are replaced lose the focus.
      saved = now;
      total = state.checkpoints.length;
      savedList.replaceChildren(...state.checkpoints.slice().reverse().map((each) => item(each, steerable)));
      if (total === 0) savedList.append(element("li", { class: "wbp-none" }, "The first comes with the first step."));
      summarise();
    },
  };
}
