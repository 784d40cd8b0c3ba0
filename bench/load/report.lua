-- Makes wrk print one machine-readable line; with arguments, rotates the Host header over them.
local hosts = {}
local requests = {}
local turn = 0

function init(args)
  for i = 1, #args do hosts[i] = args[i] end
  for i, host in ipairs(hosts) do requests[i] = wrk.format("GET", "/", { ["Host"] = host }) end
  -- Otherwise wrk keeps its one static request, which costs it nothing. Where hosts are rotated, a party with one host has the same load as one with four.
  if #requests > 0 then
    request = function()
      turn = turn % #requests + 1
      return requests[turn]
    end
  end
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
