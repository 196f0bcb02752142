-- wrk's requests. Arguments: "ranges" PATH SIZE LENGTH: random ranges of one file;
-- or "files" PATH COUNT: many files, whose number replaces {n}. All are made beforehand, to keep wrk itself cheap.
local requests, next_one = {}, 0

local function range(path, size, length)
  local headers = {}
  for name, value in pairs(wrk.headers) do headers[name] = value end
  local from = math.random(0, size - length)
  headers["Range"] = string.format("bytes=%d-%d", from, from + length - 1)
  return wrk.format("GET", path, headers)
end

local function file(path, count)
  local number = string.format("%05d", math.random(0, count - 1))
  return wrk.format("GET", (path:gsub("{n}", number)))
end

function init(args)
  math.randomseed(7)
  local make = args[1] == "ranges" and range or file
  for i = 1, 8192 do
    requests[i] = make(args[2], tonumber(args[3]), tonumber(args[4]))
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    "RESULT requests=%d seconds=%.6f bytes=%d p50=%d p99=%d max=%d errors=%d\n",
    summary.requests, summary.duration / 1e6, summary.bytes,
    latency:percentile(50), latency:percentile(99), latency.max,
    e.connect + e.read + e.write + e.status + e.timeout))
end
