// One panel on the page. It can move to another element and model proxy, because a front end that refreshes an
// output renders it anew: moving keeps the plots, the focus and the scroll position.

import { charts } from "./charts";
import { decode } from "./curves";
import { element, mark, unique } from "./dom";
import { figures } from "./figures";
import { header } from "./header";
import type { Command, Model } from "./model";
import { notice } from "./notice";
import { settings } from "./settings";

const PATIENCE = 1500; // milliseconds until an unanswered command is explained

export class View {
  readonly root = element("section", { class: "wbp", role: "group", "data-testid": "panel" });
  wasShown = false;
  private readonly id = unique();
  private serial = 0;
  private timer = 0;
  private unanswered = false;
  private focused: HTMLElement | null = null;
  private readonly header = header((command) => this.send(command));
  private readonly figures = figures();
  private readonly notice = notice((command) => this.send(command));
  private readonly charts: ReturnType<typeof charts>;
  private readonly settings: ReturnType<typeof settings>;

  constructor(private model: Model) {
    this.settings = settings(model.get("settings"), (command) => this.send(command), (serial) => this.settled(serial));
    this.charts = charts(this.root);
    this.root.append(this.figures.progress, this.header.root, this.figures.row, this.notice.root, this.charts.root, this.settings.root);
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
  }

  /** Take on the page's colours; needs the panel to be on the page. */
  shown(): void {
    this.wasShown = true;
    this.charts.retheme();
    if (document.activeElement === document.body) this.focused?.focus({ preventScroll: true }); // A move loses it.
  }

  destroy(): void {
    this.deafen();
    window.clearTimeout(this.timer);
    this.settings.destroy();
    this.charts.destroy();
    this.root.remove();
  }

  private forget(): void {
    const active = document.activeElement;
    if (active !== document.body && !this.root.contains(active)) this.focused = null;
  }

  private listen(): void {
    this.model.on("change:state", this.onState);
    this.model.on("change:curves", this.onCurves);
    this.onState();
    this.onCurves();
  }

  private deafen(): void {
    this.model.off("change:state", this.onState);
    this.model.off("change:curves", this.onCurves);
  }

  private readonly onState = (): void => {
    const state = this.model.get("state");
    if (this.settled(this.serial)) {
      window.clearTimeout(this.timer);
      this.unanswered = false;
    }
    mark(this.root, "data-status", state.status);
    mark(this.root, "aria-label", `Training of ${state.algorithm} on ${state.environment}`);
    this.header.update(state);
    this.figures.update(state);
    this.settings.update(state);
    this.notice.update(state, this.unanswered);
  };

  private readonly onCurves = (): void => this.charts.show(decode(this.model));

  private settled(serial: number): boolean {
    return (this.model.get("state").acknowledged[this.id] ?? 0) >= serial;
  }

  private send(command: Command): number {
    this.serial += 1;
    this.model.send({ ...command, view: this.id, serial: this.serial });
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      this.unanswered = !this.settled(this.serial);
      this.onState();
    }, PATIENCE);
    return this.serial;
  }
}
