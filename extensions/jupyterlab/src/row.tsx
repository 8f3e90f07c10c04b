import React from "react";
import { ago, amount, duration, score } from "./format";
import { isActive } from "./model";
import type { Run } from "./server";
import { Sparkline } from "./sparkline";

export interface RowProps {
  run: Run;
  now: number;
  open: boolean;
  toggle: () => void;
  /** Steer its trainer, if that listens. */
  controls: React.ReactNode;
  /** What else can be done with it. */
  offers: React.ReactNode;
}

/** A run: what it is, where it is, how well it does; more of it when it is opened. */
export function Row({ run, now, open, toggle, controls, offers }: RowProps): React.JSX.Element {
  const told = run.error === null || run.state === "failed";
  return (
    <li className="rlw-Run" data-testid="rlw-run" data-run={run.path} data-state={run.state} data-steps={run.steps}>
      <button type="button" className="rlw-Run-head" aria-expanded={open} onClick={toggle} title={run.path}>
        <span className="rlw-Dot" aria-hidden="true" />
        <span className="rlw-Run-title">{isNamed(run) ? run.name : run.env}</span>
        <span className="rlw-Run-return" title="Mean episode return">
          {told && score(run.episode_return)}
        </span>
        <span className="rlw-Run-about">{told ? about(run, now) : run.error}</span>
        <span className="rlw-Run-steps">{told && progress(run)}</span>
        <Sparkline {...run.curve} />
      </button>
      {isActive(run) && (
        <div className="rlw-Run-going">
          <Bar run={run} />
          {controls}
        </div>
      )}
      {open && <Details run={run}>{offers}</Details>}
    </li>
  );
}

/** Whether its folder has a name that somebody chose: others say no more than environment, algorithm and time. */
function isNamed(run: Run): boolean {
  const folder = run.path.split("/").at(-1) ?? "";
  return run.env === "" || !folder.startsWith(`${run.env.replace("/", "_")}-${run.algorithm}-`);
}

function about(run: Run, now: number): string {
  const seed = run.seed === null ? "" : `seed ${run.seed}`;
  const when = isActive(run) ? run.state : run.state === "stopped" ? ago(run.created, now) : run.state;
  return [isNamed(run) ? run.env : "", run.algorithm, when, seed].filter(Boolean).join(" · ");
}

function progress(run: Run): string {
  const going = isActive(run) && run.goal > run.steps;
  const steps = going ? `${amount(run.steps)} / ${amount(run.goal)}` : `${amount(run.steps)} steps`;
  return run.steps_per_second === null || run.state === "paused" ? steps : `${steps} · ${amount(run.steps_per_second)}/s`;
}

function Bar({ run }: { run: Run }): React.JSX.Element {
  const share = run.goal > 0 ? Math.min(run.steps / run.goal, 1) : 0;
  return (
    <div
      className="rlw-Bar"
      role="progressbar"
      aria-label="Steps towards the goal"
      aria-valuenow={Math.round(100 * share)}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <div style={{ transform: `scaleX(${share})` }} />
    </div>
  );
}

function Details({ run, children }: { run: Run; children: React.ReactNode }): React.JSX.Element {
  const facts: [string, string | null][] = [
    ["Folder", run.path],
    ["Begun", run.created === null ? null : new Date(run.created).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })],
    ["Training time", duration(run.seconds)],
    ["Learner", run.learner],
    ["Lanes", run.lanes === null ? null : run.lanes.toLocaleString("en").replaceAll(",", " ")],
    ["Revision", run.revision],
    ["Failed of", run.state === "failed" ? run.error : null],
  ];
  return (
    <div className="rlw-Run-more">
      <dl>
        {facts
          .filter(([, value]) => value !== null)
          .map(([name, value]) => (
            <React.Fragment key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </React.Fragment>
          ))}
      </dl>
      <div className="rlw-Run-offers">{children}</div>
    </div>
  );
}
