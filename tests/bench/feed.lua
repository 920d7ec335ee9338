-- Reads whole requests from a file, one by one, and tells as JSON what became of them.
-- Each is a line with its length and then its bytes; at the end it starts again and counts that.
local threads, file = {}, nil
laps = 0

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  file = assert(io.open(args[1], "rb"))
end

function request()
  local size = file:read("*l")
  if not size then
    laps = laps + 1
    file:seek("set", 0)
    size = file:read("*l")
  end
  return file:read(tonumber(size))
end

function done(summary, latency)
  local rounds = 0
  for _, thread in ipairs(threads) do
    rounds = rounds + thread:get("laps")
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"laps":%d,"refused":%d,"unanswered":%d,"p50":%.3f,"p99":%.3f}\n',
    summary.requests, summary.duration / 1e6, rounds, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
