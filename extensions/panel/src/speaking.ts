// Panel's components (panel.holoviz.org) get anywidgets' code, but a model without `send`: there the view has it. A trait
// would not do for commands: Panel gathers changes for 50 ms, and of two commands only the second one would be heard.

interface Shown {
  view?: { model_proxy: { send_msg(content: unknown): void } };
}

/** Return `model` with a way to send commands. */
export function speaking<M extends { send?(content: unknown): void }>(model: M & Shown): M {
  if (model.send) return model;
  return Object.assign(Object.create(model) as M, {
    send: (content: unknown) => model.view?.model_proxy.send_msg(content),
  });
}
