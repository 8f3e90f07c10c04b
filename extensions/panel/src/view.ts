// One panel on the page. It can move to another element and model proxy, because a front end that refreshes an
// output renders it anew: moving keeps the plots, the focus and the scroll position.

import { charts } from "./charts";
import { decode, type Curve } from "./curves";
import { dialogue } from "./dialogue";
import { element, mark } from "./dom";
import { figures } from "./figures";
import { header } from "./header";
import { history } from "./history";
import type { Message, Model } from "./model";
import { notice } from "./notice";
import { painter } from "./painter";
import { sections } from "./sections";
import { settings } from "./settings";

export class View {
  readonly root = element("section", { class: "wbp", role: "group", "data-testid": "panel" });
  wasShown = false;
  private readonly talk = dialogue(() => this.model, () => this.painter.paint(this.showState));
  private readonly painter = painter(this.root, (seconds) => this.talk.mention({ kind: "cost", seconds }));
  private focused: HTMLElement | null = null;
  private readonly header = header(this.talk.send);
  private readonly figures = figures();
  private readonly notice = notice(this.talk.send);
  private readonly charts: ReturnType<typeof charts>;
  private readonly settings: ReturnType<typeof settings>;
  private readonly sections: ReturnType<typeof sections>;
  private readonly history = history(this.talk.send);

  constructor(private model: Model) {
    this.settings = settings(model.get("settings"), this.talk.send, this.talk.settled);
    this.charts = charts(this.root, (part) => this.talk.say({ kind: "window", low: part?.[0] ?? null, high: part?.[1] ?? null }), this.painter.paint);
    this.sections = sections(() => this.model, this.painter.paint);
    this.root.append(this.figures.progress, this.header.root, this.figures.row, this.notice.root, this.charts.root, this.settings.root, ...this.sections.roots, this.history.root);
    this.root.addEventListener("focusin", (event) => (this.focused = event.target as HTMLElement));
    this.root.addEventListener("focusout", () => requestAnimationFrame(() => this.forget()));
    this.listen();
  }

  /** Go on in `parent`, over another proxy of the same model. */
  move(parent: HTMLElement, model: Model): void {
    this.deafen();
    this.model = model;
    parent.append(this.root);
    this.listen();
    this.sections.move();
  }

  /** Take on the page's colours; needs the panel to be on the page. */
  shown(): void {
    this.wasShown = true;
    this.charts.retheme();
    if (document.activeElement === document.body) this.focused?.focus({ preventScroll: true }); // A move loses it.
  }

  destroy(): void {
    this.deafen();
    this.painter.destroy();
    this.talk.destroy();
    this.settings.destroy();
    this.charts.destroy();
    this.sections.destroy();
    this.root.remove();
  }

  private forget(): void {
    const active = document.activeElement;
    if (active !== document.body && !this.root.contains(active)) this.focused = null;
  }

  private listen(): void {
    for (const [event, hear] of this.heard) this.model.on(event, hear);
    this.model.on("msg:custom", this.onMessage);
    for (const show of this.shows) show();
  }

  private deafen(): void {
    for (const [event, hear] of this.heard) this.model.off(event, hear);
    this.model.off("msg:custom", this.onMessage);
  }

  private readonly showState = (): void => {
    const state = this.model.get("state");
    mark(this.root, "data-status", state.status);
    mark(this.root, "aria-label", `Training of ${state.algorithm} on ${state.environment}`);
    this.header.update(state);
    this.figures.update(state);
    this.settings.update(state);
    this.history.update(state);
    this.notice.update(state, this.talk.waits());
  };

  private curves(outline: "outline" | "left", bytes: "curves" | "left_curves"): Map<string, Curve> {
    const named = this.model.get(outline); // a dashboard leaves out what it does not know
    return named ? decode(named, this.model.get(bytes)) : new Map<string, Curve>();
  }

  private readonly showMarks = (): void => {
    const changes = this.model.get("marks") ?? [];
    this.charts.showChanges(changes);
    this.history.showChanges(changes);
  };

  private readonly showCurves = (): void => this.charts.show(this.curves("outline", "curves"));
  private readonly showLeft = (): void => this.charts.showLeft(this.curves("left", "left_curves"));

  private readonly shows = [this.showState, this.showCurves, this.showLeft, this.showMarks];
  private readonly heard = ["state", "curves", "left_curves", "marks"].map((name, index): [string, () => void] => [
    `change:${name}`,
    () => this.painter.paint(this.shows[index]!),
  ]);

  private readonly onMessage = (content: Message, buffers: DataView[]): void => {
    this.sections.take(content);
    if (content.kind !== "window" || content.view !== this.talk.id || !buffers[0]) return;
    this.charts.showDetail({ low: content.low, high: content.high, curves: decode(content.outline, buffers[0]) });
  };
}
