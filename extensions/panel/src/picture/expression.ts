/** Expressions of a picture, as `workbench_kernels.pictures.expressions` parses them: numbers, or lists whose head says what to do. */

export type Tree = number | [string, ...Tree[]];

/** What a lane shows: its state, and its observation where the picture uses it. */
export interface Lane {
  state: ArrayLike<number>;
  observation: ArrayLike<number>;
}

/** Python's remainder: it has the sign of the divisor. */
const modulo = (a: number, b: number): number => a - Math.floor(a / b) * b;

const OPERATIONS: Record<string, (...values: number[]) => number> = {
  "+": (a, b) => a! + b!,
  "-": (a, b) => a! - b!,
  "*": (a, b) => a! * b!,
  "/": (a, b) => a! / b!,
  "%": (a, b) => modulo(a!, b!),
  "<": (a, b) => Number(a! < b!),
  "<=": (a, b) => Number(a! <= b!),
  ">": (a, b) => Number(a! > b!),
  ">=": (a, b) => Number(a! >= b!),
  "==": (a, b) => Number(a! === b!),
  "!=": (a, b) => Number(a! !== b!),
  negative: (a) => -a!,
  abs: (a) => Math.abs(a!),
  min: (a, b) => Math.min(a!, b!),
  max: (a, b) => Math.max(a!, b!),
  floor: (a) => Math.floor(a!),
  sqrt: (a) => Math.sqrt(a!),
  sin: (a) => Math.sin(a!),
  cos: (a) => Math.cos(a!),
  where: (condition, then, otherwise) => (condition! ? then! : otherwise!),
};

export function evaluate(tree: Tree, lane: Lane): number {
  if (typeof tree === "number") return tree;
  const [operation, ...parts] = tree;
  if (operation === "state") return lane.state[parts[0] as number] ?? 0;
  if (operation === "observation") return lane.observation[parts[0] as number] ?? 0;
  return OPERATIONS[operation]!(...parts.map((part) => evaluate(part, lane)));
}

/** The index `value` stands for, rounded down and held within `count` choices. */
export function held(value: number, count: number): number {
  return Math.min(Math.max(Math.floor(Number.isNaN(value) ? 0 : value), 0), count - 1);
}
