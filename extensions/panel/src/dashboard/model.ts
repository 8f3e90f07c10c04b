// What the two sides of the dashboard say to each other: traits from Python (workbench/dashboards/board.py), commands to it.

import type { Status } from "../model";

export interface Row {
  id: string;
  environment: string;
  algorithm: string;
  seed: number | null;
  state: Status | "unreadable";
  steps: number;
  goal: number;
  steps_per_second: number | null;
  episode_return: number | null;
  heard: number; // seconds since 1970; 0 if never
  error: string | null;
}

export interface Choice {
  focus: string | null;
  compared: string[];
  metric: string;
  metrics: string[];
  grouped: boolean; // whether groups are compared, below, and not curves
  remark: string | null; // on that, while there is nothing to see
  about: [string, string][]; // of the run in focus
  hyperparameters: [string, string][];
}

export type Command =
  | { kind: "focus"; run: string }
  | { kind: "compare"; runs: string[]; on: boolean }
  | { kind: "metric"; name: string }
  | { kind: "group"; on: boolean }
  | { kind: "part"; low: number; high: number }
  | { kind: "find" }
  | { kind: "begin"; notebook: string; grid: string; workers: number | null }
  | { kind: "end"; batch: string };

export interface Batch {
  name: string;
  notebook: string;
  tasks: number;
  done: number;
  failed: number;
  executed: boolean; // by a process of this machine
}

/** What may be executed from here; empty where nothing may. */
export interface Batches {
  notebooks?: [string, string[]][]; // and the names of their parameters
  batches?: Batch[];
  remark?: { text: string; tone: "good" | "error" } | null;
}

/** What a page gets for a `part`: the compared curves between two numbers of environment steps, in full. */
export interface PartMessage {
  kind: "part";
  low: number;
  high: number;
  metric: string;
  outline: [string, number][];
}

export interface Traits {
  folder: string;
  runs: Row[];
  sparks: Record<string, number[]>; // of each run's returns, from 0 to 100
  choice: Choice;
  outline: [string, number][];
  curves: DataView;
  batches: Batches;
}

export interface Model {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  on(event: "msg:custom", callback: (content: PartMessage, buffers: DataView[]) => void): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: (...given: never[]) => void): void;
  send(content: unknown): void;
}

const COLOURS = ["#4269d0", "#c8621b", "#2f9e77", "#c5518f", "#8f6ae0", "#b8860b", "#3ea6bb", "#d9544d", "#7a9a2e", "#8c7466"];

/** Choose which of the runs compared have their curves drawn: the last, as many as there are colours. */
export function drawn(compared: string[]): string[] {
  return compared.slice(-COLOURS.length);
}

/** Give the colour of the curve at `index` of those compared. */
export function colour(index: number): string {
  return COLOURS[index % COLOURS.length] as string;
}
