// Panel's components (panel.holoviz.org) get anywidgets' code, but no messages to Python: there a command is a trait.

interface Settable {
  set?(name: string, value: unknown): void;
  save_changes?(): void;
}

/** Return `model` with a way to send commands. */
export function speaking<M extends { send?(content: unknown): void }>(model: M & Settable): M {
  if (model.send) return model;
  return Object.assign(Object.create(model) as M, {
    send(content: unknown): void {
      model.set?.("command", content);
      model.save_changes?.();
    },
  });
}
