// What went wrong: a failed run's error, a refused command, or a kernel too busy to listen.

import { element, mark } from "./dom";
import type { Command, State } from "./model";

const BUSY =
  "The kernel has not answered yet: it is busy with a cell, and will act when the cell ends. " +
  "trainer.start(...) trains in the background and keeps these buttons live.";

/** Build the banner; `send` carries the dismissal. */
export function notice(send: (command: Command) => void) {
  const text = element("span", { class: "wbp-notice-text" });
  const close = element("button", { type: "button", class: "wbp-close", "aria-label": "Dismiss", "data-lm-suppress-shortcuts": "true" }, "×");
  const root = element("div", { class: "wbp-notice", role: "alert", "data-testid": "panel-notice" }, text, close);
  root.hidden = true;
  close.addEventListener("click", () => send({ kind: "dismiss" }));

  return {
    root,
    update(state: State, unanswered: boolean): void {
      const said = state.notice !== null && state.notice.name === null ? state.notice : null;
      const message = unanswered ? BUSY : (said?.text ?? (state.status === "failed" ? state.error : null));
      mark(root, "data-tone", unanswered ? "wait" : (said?.tone ?? "error"));
      if (text.textContent !== (message ?? "")) text.textContent = message ?? "";
      root.hidden = message === null;
      close.hidden = unanswered || said === null;
    },
  };
}
