// Step environments compiled to WebAssembly. docs/wasm.md of rl-workbench describes the modules and their bindings.

const FORMAT = 1;
const PAGE = 65536;
const ADDRESS = 8;
const KINDS = { float32: Float32Array, int32: Int32Array, uint32: Uint32Array, uint8: Uint8Array, bool: Uint8Array };

const product = (numbers) => numbers.reduce((total, n) => total * n, 1);
const aligned = (address, alignment) => Math.ceil(address / alignment) * alignment;

function instantiate(module, binding) {
  if (binding.format !== FORMAT) {
    throw new Error(`format=${binding.format} of the binding is unknown; this host reads ${FORMAT}.`);
  }
  const compiled = module instanceof WebAssembly.Module ? module : new WebAssembly.Module(module);
  return new WebAssembly.Instance(compiled).exports;
}

function grow(memory, end) {
  const more = Math.ceil((end - memory.buffer.byteLength) / PAGE);
  if (more > 0) memory.grow(more);
}

/** Place the arrays of `lanes` lanes from `base` on: the table of addresses, then each field on its boundary. */
export function layout(binding, lanes, base) {
  const table = aligned(base, binding.alignment);
  const addresses = {};
  let end = table + ADDRESS * binding.fields.length;
  for (const { name, dtype, shape } of binding.fields) {
    addresses[name] = aligned(end, binding.alignment);
    end = addresses[name] + product(shape) * lanes * KINDS[dtype].BYTES_PER_ELEMENT;
  }
  return { table, addresses, end };
}

/** Return how many elements apart two neighbours along each axis of [...shape, lanes] are. */
export function strides(field, lanes) {
  const shape = [...field.shape, lanes];
  return shape.map((_, axis) => product(field.lane_major ? shape.slice(0, axis) : shape.slice(axis + 1)));
}

/** `lanes` copies of an environment. Each array of the binding is a property: a typed array over the module's memory. */
export class Lanes {
  /**
   * @param module A WebAssembly.Module, or its bytes.
   * @param binding What `workbench wasm` wrote beside it.
   * @param seed A BigInt or an integer: lane i of a seed draws the same numbers on every target.
   */
  constructor(module, binding, lanes, seed = 0) {
    this.binding = binding;
    this.lanes = lanes;
    this.exports = instantiate(module, binding);
    const { memory, __heap_base: base } = this.exports;
    const { table, addresses, end } = layout(binding, lanes, base.value);
    grow(memory, end);
    this.table = table;
    const entries = new BigUint64Array(memory.buffer, table, binding.fields.length);
    for (const [k, { name, dtype, shape }] of binding.fields.entries()) {
      entries[k] = BigInt(addresses[name]);
      this[name] = new KINDS[dtype](memory.buffer, addresses[name], product(shape) * lanes);
    }
    const first = binding.state.length - Object.keys(binding.settings).length;
    for (const [k, value] of Object.values(binding.settings).entries()) this.set("state", first + k, value);
    this.exports.seed(table, lanes, BigInt.asIntN(64, BigInt(seed)));
    this.reset();
  }

  /** Write `value` into row `row` of a field [rows, lanes], in every lane. */
  set(name, row, value) {
    const [across, along] = strides(this.binding.fields.find((field) => field.name === name), this.lanes);
    for (let i = 0; i < this.lanes; i++) this[name][row * across + i * along] = value;
  }

  /** Start an episode in every lane. */
  reset() {
    this.exports.reset(this.table, this.lanes);
  }

  /** Advance every lane by the action in `action`; reset those that ended. `limit`: steps to truncation. */
  step(limit = this.binding.time_limit, autoreset = true) {
    this.exports.step(this.table, this.lanes, limit, autoreset ? 1 : 0);
  }
}

/** The recursions over time. */
export class Returns {
  constructor(module, binding) {
    this.binding = binding;
    this.exports = instantiate(module, binding);
  }

  /**
   * Run the recursion `name` over [T, B] = [horizon, lanes]; return copies of all its arrays, by name.
   *
   * `given` holds numbers, and arrays of [T, B], or [T + rows, B] as the binding says, as typed arrays. Arrays that are
   * left out are those that it writes.
   */
  run(name, horizon, lanes, given) {
    for (const { name: key, rows, given: needed } of this.binding.scans[name]) {
      const length = rows === null ? undefined : (horizon + rows) * lanes;
      const right = rows === null ? typeof given[key] === "number" : given[key]?.length === length;
      if (!right && (needed || given[key] !== undefined)) {
        throw new Error(`${key} of ${name} is missing or does not fit; pass ${length === undefined ? "a number" : `${length} numbers`}.`);
      }
    }
    const arrays = [];
    let end = this.exports.__heap_base.value;
    for (const argument of this.binding.scans[name]) {
      if (argument.rows === null) continue;
      const address = aligned(end, this.binding.alignment);
      const length = (horizon + argument.rows) * lanes;
      end = address + length * KINDS[argument.dtype].BYTES_PER_ELEMENT;
      arrays.push({ ...argument, address, length });
    }
    const { memory } = this.exports;
    grow(memory, end);
    const views = new Map(arrays.map((a) => [a.name, new KINDS[a.dtype](memory.buffer, a.address, a.length)]));
    for (const [key, view] of views) given[key] === undefined ? view.fill(0) : view.set(given[key]);
    const values = this.binding.scans[name].map(({ name: key }) => views.get(key)?.byteOffset ?? given[key]);
    this.exports[name](horizon, lanes, ...values);
    return Object.fromEntries([...views].map(([key, view]) => [key, view.slice()]));
  }
}
