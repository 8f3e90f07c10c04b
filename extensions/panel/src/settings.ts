// The live hyperparameters: changes go to Python at most ten times a second, the last one always.

import { control, type Control } from "./control";
import { element, mark } from "./dom";
import type { Command, Setting, State, Value } from "./model";

const PERIOD = 100; // milliseconds between two messages of one slider

/** Build the settings; `send` returns the command's serial, `settled` tells whether Python has seen it. */
export function settings(list: Setting[], send: (command: Command) => number, settled: (serial: number) => boolean) {
  const root = element("div", { class: "wbp-settings", role: "group", "aria-label": "Live hyperparameters", "data-testid": "panel-settings" });
  const rows = list.map((setting) => row(setting, send, settled));
  root.append(...rows.map((each) => each.control.root));
  root.hidden = rows.length === 0;
  return {
    root,
    update(state: State): void {
      for (const each of rows) each.update(state);
    },
    destroy(): void {
      for (const each of rows) each.destroy();
    },
  };
}

function row(setting: Setting, send: (command: Command) => number, settled: (serial: number) => boolean) {
  let sent = 0;
  let wanted: Value | null = null;
  let timer = 0;

  function flush(): void {
    timer = 0;
    if (wanted === null) return;
    sent = send({ kind: "set", name: setting.name, value: wanted });
    wanted = null;
    timer = window.setTimeout(flush, PERIOD);
  }

  const made: Control = control(setting, (value) => {
    wanted = value;
    mark(made.root, "data-pending", "true");
    made.update(typeof value === "string" && setting.kind !== "str" ? (latest ?? value) : value, null, true);
    if (timer === 0) flush();
  });
  let latest: Value | null = null;

  return {
    control: made,
    update(state: State): void {
      latest = state.values[setting.name] ?? null;
      if (latest === null || wanted !== null || !settled(sent)) return; // A value is on its way: keep showing it.
      mark(made.root, "data-pending", null);
      const refusal = state.notice?.name === setting.name ? state.notice.text : null;
      made.update(latest, refusal, state.status !== "gone");
    },
    destroy: () => window.clearTimeout(timer),
  };
}
