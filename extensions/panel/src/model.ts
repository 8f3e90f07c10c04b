// What the two sides say to each other: traits from Python (workbench/ui/panel.py), commands to it.

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
  notice: { name: string | null; text: string } | null;
  values: Record<string, Value>;
  acknowledged: Record<string, number>;
  steerable?: boolean; // false of a run whose trainer does not listen
}

export type Command =
  | { kind: "start" | "pause" | "resume" | "stop" | "dismiss" }
  | { kind: "set"; name: string; value: Value };

export interface Traits {
  key: string;
  state: State;
  settings: Setting[];
  outline: [string, number][];
  curves: DataView;
}

export interface Model {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
  send(content: unknown): void;
}
