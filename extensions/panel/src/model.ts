// What the two sides say to each other: traits from Python (workbench/ui/panel.py), commands to it.

import type { Outline } from "./curves";
import type { NetworkMessage } from "./network";
import type { WatchMessage } from "./watch";

export type Status = "new" | "running" | "paused" | "stopped" | "failed" | "lost" | "gone";
export type Value = boolean | number | string;

export interface Setting {
  name: string;
  kind: "bool" | "int" | "float" | "str";
  low: number | null;
  high: number | null;
  default: Value;
  log: boolean;
  choices: Value[] | null;
  help: string;
}

/** A hyperparameter that changed while training, in force from `steps` on. */
export interface Change {
  steps: number;
  name: string;
  old: unknown;
  new: unknown;
}

/** A checkpoint that can be gone back to. */
export interface Saved {
  name: string;
  steps: number;
  kept: boolean;
  best: boolean;
}

export interface State {
  environment: string;
  algorithm: string;
  status: Status;
  steps: number;
  goal: number;
  seconds: number;
  remaining: number | null;
  steps_per_second: number | null;
  episode_return: number | null;
  error: string | null;
  notice: { name: string | null; text: string; tone: "good" | "error" } | null;
  checkpoints: Saved[];
  values: Record<string, Value>;
  acknowledged: Record<string, number>;
  steerable?: boolean; // false of a run whose trainer does not listen
}

export type Command =
  | { kind: "start" | "pause" | "resume" | "step" | "stop" | "save" | "dismiss" }
  | { kind: "rewind"; to: string }
  | { kind: "window"; low: number | null; high: number | null }
  | { kind: "cost"; seconds: number | null } // of a drawing; null while nobody looks
  | { kind: "set"; name: string; value: Value };

export interface Traits {
  key: string;
  state: State;
  settings: Setting[];
  outline: Outline;
  curves: DataView;
  marks: Change[];
  left: Outline;
  left_curves: DataView;
  sections: ("watch" | "network")[] | undefined; // that a page may open; none in a dashboard
}

/** What a page gets for a `window`: the curves of a part of the run. */
export interface WindowMessage {
  kind: "window";
  view: string;
  low: number;
  high: number;
  outline: Outline;
}

/** What Python sends to pages beside its traits. */
export type Message = WindowMessage | NetworkMessage | WatchMessage;

export interface Model {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  on(event: "msg:custom", callback: (content: Message, buffers: DataView[]) => void): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: (...given: never[]) => void): void;
  send(content: unknown): void;
}
