// Run modules in Node as tests/kernels/test_wasm.py asks: `node wasm_runner.mjs FOLDER HOST` reads FOLDER/jobs.json.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, host] = process.argv.slice(2);
const { Lanes, Returns } = await import(pathToFileURL(host));
const read = (name) => readFileSync(join(folder, name));

/** Step through the actions of a job; return a digest of its arrays after the reset and after each step. */
function digests({ name, lanes, steps, seed, limit, compared }) {
  const environment = new Lanes(read(`${name}.wasm`), JSON.parse(read(`${name}.json`)), lanes, BigInt(seed));
  const action = new Uint8Array(environment.action.buffer, environment.action.byteOffset, environment.action.byteLength);
  const actions = read(`${name}.actions`);
  const found = [];
  const look = () => {
    const digest = createHash("sha256");
    for (const field of compared) digest.update(environment[field]);
    found.push(digest.digest("hex").slice(0, 16));
  };
  look();
  for (let t = 0; t < steps; t++) {
    action.set(actions.subarray(t * action.length, (t + 1) * action.length));
    environment.step(limit);
    look();
  }
  return found;
}

/** Return steps a second, from calls that last about `seconds`. */
function rate({ name, lanes, seconds }) {
  const environment = new Lanes(read(`${name}.wasm`), JSON.parse(read(`${name}.json`)), lanes);
  let steps = 0;
  const start = performance.now();
  while (performance.now() - start < seconds * 1000) {
    for (let k = 0; k < 20; k++) environment.step();
    steps += 20 * lanes;
  }
  return (steps / (performance.now() - start)) * 1000;
}

/** Run a recursion; return its arrays as lists. */
function scan({ kernel, horizon, lanes, given }) {
  const returns = new Returns(read("returns.wasm"), JSON.parse(read("returns.json")));
  const arrays = returns.run(kernel, horizon, lanes, given);
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, [...array]]));
}

const jobs = JSON.parse(read("jobs.json"));
const answers = jobs.map((job) => ({ digests, rate, scan })[job.task](job));
writeFileSync(join(folder, "answers.json"), JSON.stringify(answers));
