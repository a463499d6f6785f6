-- Load for an application service, for wrk: every request is a transaction of its own with one event that nobody waits for
-- (an ordinary message in an ordinary room). wrk … -s transactions.lua URL -- TOKEN; prints one line of JSON at the end.
local counter = 0
local start = os.time()

function init(arguments)
  wrk.method = "PUT"
  wrk.headers["Authorization"] = "Bearer " .. arguments[1]
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["User-Agent"] = "Synapse/1.163.2"
  wrk.headers["Accept-Encoding"] = "gzip"
end

local body = '{"events":[{"age":27,"content":{"body":"Has anybody seen the minutes of last week?","msgtype":"m.text"},' ..
  '"event_id":"$bench-%d-%d","origin_server_ts":%d000,"room_id":"!g3DAG0V0gwfiaUm7bQGujLEVrPYI2KXAulhRXBBMZQU",' ..
  '"sender":"@carol:hs.test","type":"m.room.message","unsigned":{"age":27},"user_id":"@carol:hs.test"}]}'

function request()
  counter = counter + 1
  local path = string.format("/_matrix/app/v1/transactions/bench-%d-%d", start, counter)
  return wrk.format(nil, path, nil, string.format(body, start, counter, start))
end

function done(summary, latency)
  local errors = summary.errors
  local latencies = {}
  for place = 1, #latency do
    local microseconds, times = latency(place)
    latencies[place] = string.format("[%d,%d]", microseconds, times)
  end
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"failed":%d,"latencies":[%s]}\n', summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout, table.concat(latencies, ",")))
end
