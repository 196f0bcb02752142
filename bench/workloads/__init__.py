"""The workloads, in the order in which they run. Each takes the run and gives its tables."""

from . import (
    big_file, devices, federated, folder, footprint, gateway, index, lanes, put, ranges, search, send, small_files,
    stalled, thumbnail, upload,
)  # fmt: skip

WORKLOADS = {
    "big-file": big_file.run,
    "stalled": stalled.run,
    "ranges": ranges.run,
    "small-files": small_files.run,
    "folder": folder.run,
    "search": search.run,
    "upload": upload.run,
    "put": put.run,
    "send": send.run,
    "gateway": gateway.run,
    "federated": federated.run,
    "index": index.run,
    "thumbnail": thumbnail.run,
    "lanes": lanes.run,
    "devices": devices.run,
    "footprint": footprint.run,
}
