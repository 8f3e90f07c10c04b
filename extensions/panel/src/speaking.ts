// Panel's components (panel.holoviz.org) get anywidgets' code, but their model speaks otherwise: its view sends, what comes
// is one object, and bytes come as an ArrayBuffer. A trait would not do for commands: Panel gathers changes for 50 ms, and
// of two commands only the second one would be heard.

interface Content {
  buffers?: ArrayBuffer[];
}
type Hearer = (content: Content, buffers: DataView[]) => void;

interface Shown {
  view?: { model_proxy: { send_msg(content: unknown): void } };
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (content: Content) => void): void;
  off(event: string, callback: (content: Content) => void): void;
}

/** Return `model` with an anywidget's way to send commands and to hear messages. */
export function speaking<M extends { send?(content: unknown): void }>(given: M): M {
  if (given.send) return given;
  const model = given as unknown as Shown;
  const hearers = new Map<Hearer, (content: Content) => void>();
  const heard = (callback: Hearer) => {
    const found = hearers.get(callback) ?? ((content) => callback(content, (content.buffers ?? []).map((each) => new DataView(each))));
    hearers.set(callback, found);
    return found;
  };
  const through = (event: string, callback: Hearer) => (event === "msg:custom" ? heard(callback) : (callback as (content: Content) => void));
  return Object.assign(Object.create(given) as M, {
    send(content: unknown): void {
      model.set("spoken", true); // Before any change, Bokeh sends a model that came later back whole with its first message.
      model.save_changes();
      model.view?.model_proxy.send_msg(content);
    },
    on: (event: string, callback: Hearer) => model.on(event, through(event, callback)),
    off: (event: string, callback: Hearer) => model.off(event, through(event, callback)),
  });
}
