// What one view asks of Python, and whether it was heard: each command has a serial number that the state acknowledges.

import { unique } from "./dom";
import type { Command, Model } from "./model";

const PATIENCE = 1500; // milliseconds until an unanswered command is explained

/** Talk to Python over the model of the moment; `explain` is called when a command stays unanswered. */
export function dialogue(model: () => Model, explain: () => void) {
  const id = unique();
  let serial = 0;
  let timer = 0;
  let unanswered = false;

  const settled = (number: number): boolean => (model().get("state").acknowledged[id] ?? 0) >= number;

  /** Say something that needs no answer. */
  function say(command: Command): number {
    serial += 1;
    model().send({ ...command, view: id, serial });
    return serial;
  }

  return {
    id,
    settled,
    say,
    /** Let Python know what it has nothing to do for. */
    mention(command: Command): void {
      model().send({ ...command, view: id });
    },
    /** Send a command, and return its number. */
    send(command: Command): number {
      const number = say(command);
      window.clearTimeout(timer);
      timer = window.setTimeout(() => {
        unanswered = !settled(serial);
        explain();
      }, PATIENCE);
      return number;
    },
    /** Tell whether a command has stayed unanswered; an answer ends the waiting. */
    waits(): boolean {
      if (settled(serial)) {
        window.clearTimeout(timer);
        unanswered = false;
      }
      return unanswered;
    },
    destroy: () => window.clearTimeout(timer),
  };
}
