/** The runs as the server saw them last: looked at while somebody looks, more often while something trains. */

import { Poll } from "@lumino/polling";
import { type ISignal, Signal } from "@lumino/signaling";
import type { Run, Server } from "./server";

export interface Settings {
  folder: string;
  /** Seconds. */
  period: number;
}

export const DEFAULTS: Settings = { folder: "runs", period: 2 };

const IDLE = 3;
const UNWATCHED = 2;
const LONGEST = 60_000;
/** A trainer does what is asked between two iterations, and tells so then. */
const TRIES = 10;
const PAUSE = 150;

/** Milliseconds until the next look: longer while nothing trains, and while only the status bar shows it. */
export function interval(period: number, active: boolean, watched: boolean): number {
  return Math.min(period * 1000 * (active ? 1 : IDLE) * (watched ? 1 : UNWATCHED), LONGEST);
}

export function isActive(run: Run): boolean {
  return run.state === "running" || run.state === "paused";
}

export class Runs {
  /** The newest first. */
  runs: readonly Run[] = [];
  /** How many there are, shown or not. */
  total = 0;
  /** Whether the server has answered yet. */
  known = false;
  /** What kept it from answering the last time. */
  fault: unknown = null;

  private readonly signal = new Signal<this, void>(this);
  private readonly poll: Poll;
  private settings: Settings | null = null;
  private watched = false;

  constructor(private readonly server: Server) {
    this.poll = new Poll({
      auto: false,
      factory: () => this.look(),
      frequency: { interval: interval(DEFAULTS.period, false, false), backoff: true, max: LONGEST },
      name: "rl-workbench:runs",
      standby: "when-hidden",
    });
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  /** The newest run that trains, else the newest that is paused. */
  get current(): Run | undefined {
    return this.runs.find((run) => run.state === "running") ?? this.runs.find(isActive);
  }

  get folder(): string {
    return this.settings?.folder ?? "";
  }

  /** Begin to look, or go on with other settings. */
  configure(settings: Settings): void {
    this.settings = settings;
    this.refresh();
  }

  /** Say whether the list is on the screen. */
  watch(watched: boolean): void {
    this.watched = watched;
    if (watched) {
      this.refresh();
    } else {
      this.pace();
    }
  }

  /** Look now; resolves when the list is as new. */
  async refresh(): Promise<void> {
    if (this.settings === null) {
      return; // they say where
    }
    await this.poll.refresh();
    await this.poll.tick.catch(() => undefined); // the fault is shown
  }

  /** Look until the state of a run is another, a few times. */
  async settle(path: string): Promise<void> {
    const state = () => this.runs.find((run) => run.path === path)?.state;
    const before = state();
    for (let tries = 0; tries < TRIES && state() === before; tries++) {
      await this.refresh();
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  private async look(): Promise<void> {
    try {
      const listing = await this.server.runs(this.folder);
      [this.runs, this.total, this.known, this.fault] = [listing.runs, listing.total, true, null];
    } catch (error) {
      this.fault = error;
      throw error; // the poll waits longer and longer
    } finally {
      this.pace();
      this.signal.emit();
    }
  }

  private pace(): void {
    const wanted = interval(this.settings?.period ?? DEFAULTS.period, this.current !== undefined, this.watched);
    if (this.poll.frequency.interval !== wanted) {
      this.poll.frequency = { interval: wanted, backoff: true, max: LONGEST };
    }
  }
}
