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
  about: [string, string][]; // of the run in focus
  hyperparameters: [string, string][];
}

export type Command =
  | { kind: "focus"; run: string }
  | { kind: "compare"; run: string; on: boolean }
  | { kind: "metric"; name: string };

export interface Traits {
  folder: string;
  runs: Row[];
  sparks: Record<string, number[]>; // of each run's returns, from 0 to 100
  choice: Choice;
  outline: [string, number][];
  curves: DataView;
}

export interface Model {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
  send(content: unknown): void;
}

const COLOURS = ["#4269d0", "#c8621b", "#2f9e77", "#c5518f", "#8f6ae0", "#b8860b", "#3ea6bb", "#d9544d", "#7a9a2e", "#8c7466"];

/** Give the colour of the curve at `index` of those compared. */
export function colour(index: number): string {
  return COLOURS[index % COLOURS.length] as string;
}
