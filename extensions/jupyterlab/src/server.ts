/** What the server extension answers (`workbench/labserver`), and how it is asked. */

import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";
import type { ReadonlyPartialJSONValue } from "@lumino/coreutils";

export type State = "new" | "running" | "paused" | "stopped" | "failed" | "lost";
export type Action = "start" | "pause" | "resume" | "stop";

/** A run, as `workbench.labserver.records` describes it. */
export interface Run {
  /** Of its directory, below the server's root. */
  path: string;
  name: string;
  env: string;
  algorithm: string;
  seed: number | null;
  created: string | null;
  learner: string | null;
  lanes: number | null;
  revision: string | null;
  state: State;
  /** Whether its trainer listens: in a process that trains, or that has ended a training and is still there. */
  steered: boolean;
  steps: number;
  goal: number;
  seconds: number;
  steps_per_second: number | null;
  episode_return: number | null;
  /** The mean return along the run: shares of its steps and values. */
  curve: { at: number[]; value: number[] };
  error: string | null;
  /** Below the server's root, where it is there. */
  notebook: string | null;
}

export interface Listing {
  runs: Run[];
  /** How many there are; the newest come. */
  total: number;
}

export interface Content {
  metadata: { [key: string]: ReadonlyPartialJSONValue };
  cells: { cell_type: string; source: string | string[] }[];
}

/** A notebook that can be made: a template that is filled in, or a tutorial. */
export interface Made {
  name: string;
  /** Where it belongs, below the root; null leaves the choice. */
  folder: string | null;
  content: Content;
}

export interface Tutorial {
  name: string;
  title: string;
  /** Where it already lies below the root. */
  path: string | null;
}

/** The server extension is not there. */
export class MissingError extends Error {}

export class Server {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  runs(folder: string): Promise<Listing> {
    return this.ask("runs", { folder });
  }

  async steer(run: string, kind: Action): Promise<void> {
    await this.ask("actions", {}, { method: "POST", body: JSON.stringify({ run, kind }) });
  }

  template(name: string, run?: string): Promise<Made> {
    return this.ask(`templates/${name}`, run === undefined ? {} : { run });
  }

  async tutorials(): Promise<Tutorial[]> {
    return (await this.ask<{ tutorials: Tutorial[] }>("tutorials")).tutorials;
  }

  tutorial(name: string): Promise<Made> {
    return this.ask(`tutorials/${name}`);
  }

  private async ask<T>(what: string, query: Record<string, string> = {}, init: RequestInit = {}): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, "rl-workbench", what) + URLExt.objectToQueryString(query);
    const response = await ServerConnection.makeRequest(url, init, this.settings);
    if (response.status === 404 && response.headers.get("X-RL-Workbench") === null) {
      throw new MissingError("JupyterLab's server has no extension “workbench.labserver”.");
    }
    const answer = await response.json();
    if (!response.ok) {
      throw new Error(answer.message || `${response.status} ${response.statusText}`);
    }
    return answer as T;
  }
}
