"""Run PTX without a GPU: one kernel, one thread at a time, as PTX ISA 8.x describes it.

A kernel becomes a Python function: registers are its variables (integers unsigned, float32 as numpy's), a block of
instructions is a branch of its loop. What rounds otherwise than every other target, fused multiply-add and the
approximations, is left out on purpose: it raises NotImplementedError, as does all that no kernel of ours needs.
"""

import re
import struct

import numpy as np

GAP = 64
FILL = 0xA5
WIDTHS = {"rd": 64, "r": 32, "rs": 16, "SP": 64, "SPL": 64}
CODES = {
    "8": ("<B", "<b"),
    "16": ("<H", "<h"),
    "32": ("<I", "<i"),
    "64": ("<Q", "<q"),
}
INSTRUCTION = re.compile(r"(?:@(!?)%(\w+)\s+)?([a-z]\S*)\s*(.*)", re.DOTALL)
REGISTER = re.compile(r"%([A-Za-z]+)(\d*)$")
ARRAY = re.compile(r"\.(?:const|global) \.align \d+ \.b8 (\S+)\[(\d+)\](?: = \{([^}]*)\})?;")
DEPOT = re.compile(r"\.local \.align \d+\s+\.b8\s+(\S+)\[(\d+)\];")


class Memory:
    """One address space; arrays stand in it with gaps between them, and a write into a gap is found."""

    def __init__(self):
        self.data = bytearray([FILL]) * 4096
        self.gaps = [(0, 4096)]

    def place(self, content):
        """Copy an array in; return its address and a view of it, which holds until the next is placed."""
        raw = np.ascontiguousarray(content)
        address = len(self.data)
        self.data += raw.tobytes()
        end = len(self.data)
        self.data += bytearray([FILL]) * (GAP - end % 8)
        self.gaps.append((end, len(self.data)))
        return address

    def view(self, address, shape, dtype):
        count = int(np.prod(shape))
        if not count:
            return np.zeros(shape, dtype)
        return np.frombuffer(memoryview(self.data), dtype, count, address).reshape(shape)

    def check(self):
        """Assert that nothing was written between the arrays."""
        for start, end in self.gaps:
            assert self.data[start:end] == bytearray([FILL]) * (end - start), "a write outside every array"


def signed(value, width):
    return (value ^ (1 << width - 1)) - (1 << width - 1)


def quotient(a, b):
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def to_integer(value, width, unsigned):
    low, high = (0, 2**width - 1) if unsigned else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    return 0 if value != value else int(min(max(float(value), low), high)) & (2**width - 1)


def minimum(a, b):
    return a if a < b or b != b or (a == b and np.signbit(a)) else b


def maximum(a, b):
    return a if a > b or b != b or (a == b and not np.signbit(a)) else b


def single(bits):
    return np.frombuffer(struct.pack("<I", bits), np.float32)[0]


def double(bits):
    return np.frombuffer(struct.pack("<Q", bits), np.float64)[0]


def bits_of(value):
    return int(np.asarray(value).view(np.uint32 if value.dtype == np.float32 else np.uint64))


ROUND = {"rni": "rint", "rmi": "floor", "rzi": "trunc", "rpi": "ceil"}
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "lo": "<", "ls": "<=", "hi": ">"}
COMPARE["hs"] = ">="
BITWISE = {"and": "&", "or": "|", "xor": "^"}
ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


class Kernel:
    """The only `.entry` of a PTX module."""

    def __init__(self, text):
        self.tables = {
            name: bytes(int(x) for x in values.split(",")) if values else bytes(int(size))
            for name, size, values in ARRAY.findall(text)
        }
        name, body = re.search(r"\.entry (\S+)\((.*?)^}", text, re.DOTALL | re.MULTILINE).groups()
        self.parameters = {f"{name}_param_{k}": k for k in range(body.count(".param ."))}
        body = re.sub(r"//[^\n]*|^\s*[{}]\s*$", "", body.partition("\n{")[2], flags=re.MULTILINE)
        self.depots = {name: int(size) for name, size in DEPOT.findall(body)}
        self.constants = {}
        self.labels = {label: k + 1 for k, label in enumerate(re.findall(r"^\s*(\$\w+):", body, re.MULTILINE))}
        lines, block = [], 0
        for found in re.findall(r"\$\w+:|[^;:]+;", body):
            statement = found.strip()
            if statement.endswith(":"):
                block = self.labels[statement[:-1]]
                lines += [f"   b = {block}", f"  if b == {block}:"]
            elif not statement.startswith("."):
                lines += [f"   {line}" for line in self.translated(statement[:-1].strip())]
        head = ["def run(m, p, tid, ntid, ctaid, where):", " b = 0", " while True:", "  if b == 0:"]
        source = "\n".join([*head, *lines])
        names = {**globals(), **self.constants}
        for width, codes in CODES.items():
            for kind, code in zip("us", codes, strict=True):
                names[f"load_{kind}{width}"] = struct.Struct(code).unpack_from
            names[f"store_{width}"] = struct.Struct(codes[0]).pack_into
        names["load_f32"], names["store_f32"] = struct.Struct("<f").unpack_from, struct.Struct("<f").pack_into
        names["load_f64"], names["store_f64"] = struct.Struct("<d").unpack_from, struct.Struct("<d").pack_into
        exec(compile(source, "<ptx>", "exec"), names)
        self.thread, self.memory = names["run"], None

    def launch(self, memory, parameters, *, blocks, threads):
        """Run every thread, in order."""
        assert len(parameters) == len(self.parameters)
        if self.memory is not memory:
            self.memory = memory
            contents = {name: np.frombuffer(content, np.uint8) for name, content in self.tables.items()}
            contents |= {name: np.zeros(size, np.uint8) for name, size in self.depots.items()}
            self.where = {name: memory.place(content) for name, content in contents.items()}
        with np.errstate(all="ignore"):
            for block in range(blocks):
                for thread in range(threads):
                    self.thread(memory.data, parameters, thread, threads, block, self.where)

    def operand(self, text, kind=""):
        """Write an operand that is read as `kind`: "s32", "u64", "b16", "f32", "pred"."""
        text = text.strip()
        if text.startswith("%"):
            name = {"%tid.x": "tid", "%ntid.x": "ntid", "%ctaid.x": "ctaid"}.get(text)
            if name:
                return name
            letters, number = REGISTER.match(text).groups()
            name, width = letters + number, int(kind[1:]) if kind[1:].isdigit() else 0
            if kind[:1] == "f":
                return name if letters in ("f", "fd") else f"{'single' if width == 32 else 'double'}({name})"
            if letters in ("f", "fd") and kind:
                return f"bits_of({name})"
            if width and WIDTHS.get(letters, width) > width:
                name = f"({name} & {2**width - 1})"
            return f"signed({name}, {width})" if kind[:1] == "s" else name
        if text[:2] in ("0f", "0d"):
            self.constants[f"c{text}"] = (single if text[1] == "f" else double)(int("0x" + text[2:], 0))
            return f"c{text}"
        if re.fullmatch(r"-?(0x)?[0-9a-fA-F]+U?", text):
            value = int(text.removesuffix("U"), 0)
            if kind == "pred":
                return str(bool(value))
            width = int(kind[1:])
            return f"({signed(value & 2**width - 1, width)})" if kind[0] == "s" else str(value & 2**width - 1)
        return f"where[{text!r}]"

    def address(self, text):
        base, offset = re.fullmatch(r"\[([^+\]]+)(?:\+(-?\d+))?\]", text.strip()).groups()
        return f"{self.operand(base, 'u64')} + {offset or 0}"

    def masked(self, register, expression, width=0):
        """Write an integer to a register, cut to `width` bits or to what the register holds."""
        letters, number = REGISTER.match(register).groups()
        return f"{letters}{number} = ({expression}) & {2 ** (width or WIDTHS[letters]) - 1}"

    def translated(self, statement):
        """Write the lines of Python of one instruction."""
        negated, guard, name, rest = INSTRUCTION.fullmatch(statement).groups()
        lines = self.lines(name, [part.strip() for part in re.split(r",\s*", rest)] if rest else [], statement)
        return [f"if {'not ' if negated else ''}{guard}:", *(f" {line}" for line in lines)] if guard else lines

    def lines(self, name, given, statement):
        operation, *modifiers = name.split(".")
        kind = modifiers[-1] if modifiers else ""
        width = int(kind[1:]) if kind[1:].isdigit() else 0
        floating = kind[:1] == "f"
        if operation == "ret":
            return ["return"]
        if operation == "bra":
            return [f"b = {self.labels[given[0]]}", "continue"]
        if operation in ("ld", "st") and len(modifiers) == 2:
            return self.moved(operation, modifiers[0], kind, given)
        target = given[0].lstrip("%")
        read = [self.operand(text, kind) for text in given[1:]]
        if operation == "setp" and len(modifiers) == 2:
            return [f"{target} = {self.compared(modifiers[0], floating, read)}"]
        if operation == "selp":
            read = [*(self.operand(text, kind if floating else f"b{width}") for text in given[1:3]), read[2]]
            read[2] = self.operand(given[3], "pred")
            chosen = f"{read[0]} if {read[2]} else {read[1]}"
            return [f"{target} = {chosen}" if floating else self.masked(given[0], chosen, width)]
        if operation == "mov" or operation == "cvta":
            if kind == "pred" or REGISTER.match(given[0])[1] in ("f", "fd"):
                return [f"{target} = {self.operand(given[1], kind if kind == 'pred' else f'f{width}')}"]
            return [self.masked(given[0], self.operand(given[1], f"b{width}"), width)]
        if operation == "cvt":
            return self.converted(modifiers, given, statement)
        if kind == "pred":
            if operation == "not":
                return [f"{target} = not {read[0]}"]
            return [f"{target} = {read[0]} {BITWISE[operation]} {read[1]}"]
        if floating:
            exact = modifiers == ["rn", kind]
            if operation in ARITHMETIC and exact:
                return [f"{target} = {read[0]} {ARITHMETIC[operation]} {read[1]}"]
            if operation in ("rcp", "sqrt") and exact:
                return [
                    f"{target} = " + (f"np.sqrt({read[0]})" if operation == "sqrt" else f"type(x := {read[0]})(1) / x")
                ]
            if operation in ("min", "max") and modifiers == [kind]:
                return [f"{target} = {operation}imum({read[0]}, {read[1]})"]
            if operation in ("neg", "abs") and modifiers == [kind]:
                return [f"{target} = {'-' if operation == 'neg' else 'abs'}{f'({read[0]})'}"]
            raise NotImplementedError(statement)
        return [self.integer(operation, modifiers, kind, width, given, read, statement)]

    def integer(self, operation, modifiers, kind, width, given, read, statement):
        register, first = given[0], modifiers[0]
        if operation == "mul" and first in ("lo", "hi", "wide"):
            product = f"{read[0]} * {read[1]}"
            return self.masked(
                register, f"{product} >> {width}" if first == "hi" else product, 2 * width if first == "wide" else width
            )
        if operation == "mad" and first in ("lo", "wide"):
            wide = 2 * width if first == "wide" else width
            addend = self.operand(given[3], f"{kind[0]}{wide}")
            return self.masked(register, f"{read[0]} * {read[1]} + {addend}", wide)
        if modifiers != [kind]:
            raise NotImplementedError(statement)
        if operation in ("add", "sub"):
            return self.masked(register, f"{read[0]} {ARITHMETIC[operation]} {read[1]}", width)
        if operation in BITWISE:
            return self.masked(register, f"{read[0]} {BITWISE[operation]} {read[1]}", width)
        if operation in ("shl", "shr"):
            by = self.operand(given[2], "u32")
            shifted = f"{read[0]} {'<<' if operation == 'shl' else '>>'} min({by}, {width})"
            return self.masked(register, shifted, width)
        if operation in ("div", "rem"):
            whole = f"quotient({read[0]}, {read[1]})"
            return self.masked(register, whole if operation == "div" else f"{read[0]} - {read[1]} * {whole}", width)
        if operation in ("min", "max"):
            return self.masked(register, f"{operation}({read[0]}, {read[1]})", width)
        if operation in ("bfi", "bfe") and kind[0] in "bu":
            at, length = (self.operand(text, "u32") for text in given[-2:])
            cut = f"({read[0]} >> {at})" if operation == "bfe" else f"({read[0]} ^ {read[1]} >> {at})"
            bits = f"{cut} & ((1 << {length}) - 1)"
            return self.masked(register, bits if operation == "bfe" else f"{read[1]} ^ ({bits}) << {at}", width)
        unary = {"neg": "-{}", "not": "~{}", "abs": "abs({})", "popc": "({}).bit_count()"}
        unary["clz"] = f"{width} - ({{}}).bit_length()"
        if operation in unary:
            return self.masked(
                register, unary[operation].format(read[0]), 32 if operation in ("popc", "clz") else width
            )
        raise NotImplementedError(statement)

    def moved(self, operation, space, kind, given):
        if operation == "st":
            return self.stored(kind, given)
        target = given[0].lstrip("%")
        if space == "param":
            value = f"p[{self.parameters[given[1][1:-1]]}]"
            return [f"{target} = {value}" if kind[0] == "f" else self.masked(given[0], value)]
        kind = kind.replace("b", "u")
        value = f"load_{kind}(m, {self.address(given[1])})[0]"
        if kind[0] == "f":
            return [f"{target} = np.float{kind[1:]}({value})"]
        if REGISTER.match(given[0])[1] in ("f", "fd"):
            return [f"{target} = {'single' if kind[1:] == '32' else 'double'}({value})"]
        return [self.masked(given[0], value)]

    def stored(self, kind, given):
        where = self.address(given[0])
        if kind[0] == "f":
            return [f"store_{kind}(m, {where}, {self.operand(given[1], kind)})"]
        return [f"store_{kind[1:]}(m, {where}, {self.operand(given[1], f'b{kind[1:]}')})"]

    def compared(self, relation, floating, read):
        if not floating:
            return f"{read[0]} {COMPARE[relation]} {read[1]}"
        ordered = f"({read[0]} == {read[0]} and {read[1]} == {read[1]})"
        if relation in ("num", "nan"):
            return ordered if relation == "num" else f"not {ordered}"
        if relation.endswith("u") and relation[:-1] in COMPARE:
            return f"bool({read[0]} {COMPARE[relation[:-1]]} {read[1]}) or not {ordered}"
        return f"bool({read[0]} {COMPARE[relation]} {read[1]}) and {ordered}"

    def converted(self, modifiers, given, statement):
        *how, to, source = modifiers
        value, width = self.operand(given[1], source), int(to[1:])
        target = given[0].lstrip("%")
        if to[0] == source[0] == "f":
            if how and how[0] in ROUND:
                return [f"{target} = np.{ROUND[how[0]]}({value})"]
            if how in ([], ["rn"]):
                return [f"{target} = np.float{width}({value})"]
        elif to[0] == "f" and how == ["rn"]:
            return [f"{target} = np.float{width}({value})"]
        elif source[0] == "f" and len(how) == 1:
            return [f"{target} = to_integer(np.{ROUND[how[0]]}({value}), {width}, {to[0] == 'u'})"]
        elif not how:
            return [self.masked(given[0], value if width >= int(source[1:]) else f"({value}) & {2**width - 1}")]
        raise NotImplementedError(statement)
