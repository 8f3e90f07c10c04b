"""Targets turn lanes into batches. Each offers the same three builders, and only they import a compiler.

    vector_reset(environment)  ->  reset(state, random, elapsed, observation)
    vector_step(environment)   ->  step(state, random, elapsed, limit, action, reward, terminated, truncated,
                                        final_observation, observation)
    scan(kernel, reverse)      ->  run(*arguments), the loops over time and lanes around a kernel of `returns.py`

`step` resets the lanes that ended within the same call: `final_observation` is every lane's successor *before* the
reset, `observation` the one to act on next. `elapsed` [B] int32 counts the episode's steps; `truncated` is set when it
reaches `limit`, also where `terminated` is.
"""
