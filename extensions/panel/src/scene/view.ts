// One scene on the page. Like the panel, it can move to another element and model proxy.
import { element, mark, write } from "../dom";
import { compact } from "../format";
import { painter } from "../painter";
import { isDark, watchTheme } from "../theme";
import { ways } from "./controls";
import { type Frame, decode } from "./frame";
import { insight } from "./insight";
import { keyboard } from "./keyboard";
import { link } from "./link";
import type { Header, Request, SceneModel } from "./model";
import { recorder } from "./recorder";
import { stage } from "./stage";
import { transport } from "./transport";

const WORDS: Record<string, string> = { new: "not trained yet", running: "training", paused: "paused", stopped: "stopped", failed: "failed", gone: "released" };
const OVERDUE = "No frame from the kernel: it is busy, or an iteration of training takes long.";

export class SceneView {
  readonly root = element("section", { class: "wbp wbs", role: "group", "data-testid": "scene" });
  wasShown = false;
  private header: Header | null = null;
  private waiting?: [Header, DataView[]];
  private readonly painter = painter(this.root, (cost) => this.link.look(cost));
  private readonly about;
  private readonly link;
  private readonly stage;
  private readonly insight;
  private readonly transport;
  private readonly recorder;
  private readonly status = element("span", { class: "wbp-status", role: "status", "data-testid": "scene-status" });
  private readonly notice = element("div", { class: "wbp-notice", role: "alert", "data-testid": "scene-notice" });
  private readonly unwatch: () => void;
  private readonly modes = ways("What is shown", [["training", "Training"], ["play", "Play"]], (mode: Header["mode"]) => this.ask({ kind: "mode", mode }));

  constructor(model: SceneModel) {
    const about = (this.about = model.get("about"));
    const ask = (request: Request) => this.ask(request);
    this.stage = stage(about, ask);
    this.insight = insight(about);
    this.recorder = recorder(about, this.stage.image);
    const keys = keyboard(about, this.stage.box, ask, () => this.header);
    this.transport = transport(ask, keys.root, this.recorder.root);
    const title = element("div", { class: "wbp-title" }, element("span", { class: "wbp-dot", "aria-hidden": "true" }), element("span", { class: "wbp-environment" }, about.environment), element("span", { class: "wbp-algorithm" }, about.algorithm), this.status);
    this.notice.hidden = true;
    this.root.append(element("header", { class: "wbp-header" }, title, this.modes.root), this.notice, element("div", { class: "wbs-body" }, this.stage.root, this.insight.root), this.transport.root);
    mark(this.root, "aria-label", `${about.algorithm} in ${about.environment}`);
    mark(this.stage.box, "aria-label", `${about.environment}: the keys shown take over while the policy plays, space pauses it`);
    this.unwatch = watchTheme(() => this.retheme());
    this.link = link(model, (header, buffers) => this.take(header, buffers), () => this.moving(), (overdue) => this.say(overdue ? OVERDUE : (this.header?.notice ?? null), overdue));
  }

  move(parent: HTMLElement, model: SceneModel): void {
    parent.append(this.root);
    this.link.move(model);
  }

  shown(): void {
    this.wasShown = true;
    this.retheme();
  }

  destroy(): void {
    this.painter.destroy();
    this.link.destroy();
    this.recorder.destroy();
    this.stage.destroy();
    this.unwatch();
    this.root.remove();
  }

  private ask(request: Request): void {
    this.link.ask(request);
  }

  private retheme(): void {
    mark(this.root, "data-dark", String(isDark(this.root)));
  }

  private moving(): boolean {
    const now = this.header;
    return now === null || now.playing || (now.mode === "training" && now.status === "running");
  }

  private say(text: string | null, wait = false): void {
    this.notice.hidden = !text;
    mark(this.notice, "data-tone", wait ? "wait" : null);
    write(this.notice, text ?? "");
  }

  private take(header: Header, buffers: DataView[]): void {
    this.waiting = [header, buffers];
    this.painter.paint(this.draw);
  }

  private readonly draw = (): void => {
    const [header, buffers] = this.waiting!;
    this.header = header;
    for (const name of ["mode", "status", "number", "steps", "weights"] as const) mark(this.root, `data-${name}`, String(header[name] ?? ""));
    mark(this.root, "data-playing", String(header.playing));
    this.modes.show(header.mode);
    this.say(header.notice);
    this.transport.state(header);
    const frame = decode(header, buffers, this.about);
    write(this.status, this.words(header, frame));
    if (frame) {
      this.stage.show(frame);
      this.insight.show(frame);
      this.recorder.show(frame);
      if (header.mode === "play") this.transport.show(frame);
    }
    this.link.drawn();
  };

  private words(header: Header, frame: Frame | null): string {
    if (header.mode === "play") return frame ? `the policy of step ${compact(header.weights ?? 0)} plays` : "getting the policy";
    const stride = header.stride && header.status === "running" ? ` · a frame each ${compact(Math.round(header.stride))} steps of a lane` : "";
    return `${WORDS[header.status] ?? header.status} · ${compact(header.steps)} steps${stride}`;
  }
}
