// What a scene and Python say to each other (workbench/ui/scene): `about` once, frames on demand, small messages back.

import type { Picture } from "../picture";

export type Action = number | number[];

export interface About {
  environment: string;
  algorithm: string;
  picture: Picture | null;
  reason: string | null;
  films: boolean;
  whole: boolean;
  sees: boolean;
  action: { choices: number[]; numbers: number; names: string[]; low: (number | null)[]; high: (number | null)[] };
  observation: string[];
  keys: Record<string, Action>;
}

/** What comes with each frame; the rest is in its buffers. */
export interface Header {
  kind: "frame";
  number: number;
  answer?: boolean;
  mode: "training" | "play";
  status: string;
  steps: number;
  playing: boolean;
  pace: number;
  policy: "greedy" | "sample";
  seed: string;
  lane: number;
  lanes: number;
  notice: string | null;
  shown: number;
  numbers: number;
  parts: number;
  hand: boolean;
  stride?: number;
  place?: number;
  kept?: number;
  dropped?: number;
  branches?: boolean;
  weights?: number;
}

export type Request =
  | { kind: "more"; frame: number; hello: boolean; cost: number }
  | { kind: "mode"; mode: Header["mode"] }
  | { kind: "policy"; policy: Header["policy"] }
  | { kind: "pace"; pace: number }
  | { kind: "select"; lane: number }
  | { kind: "look"; place: number }
  | { kind: "restart"; seed: string }
  | { kind: "key"; key: string | null }
  | { kind: "play" | "pause" | "step" | "back" | "branch" | "dismiss" };

export type Ask = (request: Request) => void;

export interface SceneModel {
  get(name: "key" | "kind"): string;
  get(name: "about"): About;
  on(event: string, callback: (...given: never[]) => void): void;
  off(event: string, callback: (...given: never[]) => void): void;
  send(content: unknown): void;
}
