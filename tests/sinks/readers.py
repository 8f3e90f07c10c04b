"""What sinks wrote, as each one's own reader gives it back."""

import json
import os
import struct
from collections import defaultdict

BLOCK, HEADER = 32 * 1024, struct.Struct("<IHB")  # of a LevelDB log: checksum, length, kind of the part
WHOLE, LAST = 1, 4


def tensorboard(directory):
    """Return TensorBoard's own reader of a folder of event files, with everything kept."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    kinds = ("scalars", "histograms", "images", "tensors")
    return EventAccumulator(str(directory), size_guidance=dict.fromkeys(kinds, 0)).Reload()


def wandb(file):
    """Yield the records of an offline run: a log as LevelDB writes it, of W&B's protocol buffers."""
    from wandb import teardown
    from wandb.proto.wandb_internal_pb2 import Record

    teardown()  # W&B's own process writes behind `finish`, until it ends
    data, place, record = file.read_bytes(), 7, b""  # after W&B's own 7 bytes
    while place < len(data):
        room = BLOCK - place % BLOCK
        if room < HEADER.size:
            place += room
            continue
        _, length, kind = HEADER.unpack_from(data, place)
        place += HEADER.size
        record += data[place : place + length]
        place += length
        if kind in (WHOLE, LAST):
            yield Record.FromString(record)
            record = b""


def wandb_rows(directory):
    """Return the rows that were logged offline in a run directory, oldest first, and the id of the run."""
    rows, ids = [], set()
    for file in sorted(directory.glob("wandb/offline-run-*/run-*.wandb"), key=os.path.getmtime):
        for record in wandb(file):
            if record.HasField("run"):
                ids.add(record.run.run_id)
            if record.HasField("history"):
                items = record.history.item
                rows.append({item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items})
    (found,) = ids
    return rows, found


def trackio(project, run):
    """Return what Trackio kept of a run: by step, the rows joined."""
    from trackio.sqlite_storage import SQLiteStorage

    rows = defaultdict(dict)
    for row in SQLiteStorage.get_logs(project, run):
        rows[row["step"]].update(row)
    return rows
