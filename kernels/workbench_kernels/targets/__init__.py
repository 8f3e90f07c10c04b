"""Targets turn lanes into batches. Only they import a compiler.

`python` is the oracle and the debugger, `cpu` compiles for vector units and threads, `cuda` for GPUs, `wasm` for
browsers. Each of the first three offers the same builders:

    vector_reset(environment)  ->  reset(buffers)
    vector_step(environment)   ->  step(buffers, limit, autoreset=True)
    scan(kernel, reverse=...)  ->  run(*arguments), the loops over time and lanes around a kernel of `returns.py`

`step` resets the lanes that ended within the same call, unless it is told not to: `final_observation` is the successor
before the reset where a lane ended, `observation` the one to act on next. `elapsed` [B] int32 counts the episode's
steps; `truncated` is set when it reaches `limit`, also where `terminated` is.
"""
