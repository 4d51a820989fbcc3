-- The beginning of every script. Whoever may write to the server may write anything there: a key that
-- is not of its kind is deleted, for nobody could go on while it is there.
local function run(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  for _, kind in ipairs({'WRONGTYPE', 'not an integer', 'not a valid float'}) do
    if string.find(answer.err, kind, 1, true) then redis.call('DEL', key) end
  end
  return redis.call(command, key, ...) -- which raises what else is wrong
end

-- How much a client was served. It counts characters, so nothing else can be true.
local function served(text)
  local number = tonumber(text or '') or 0
  return number > -1e15 and number < 1e15 and number or 0
end

-- Write to a client's stream. -> false: the client is gone, or that is no stream of a client
local function tell(leases, stream, session, ttl_ms, most, ...)
  local prefix = string.sub(leases, 1, -7) .. 'out:' -- instead of "leases"
  if not session or redis.call('EXISTS', session) == 0 then return false end
  if not stream or string.sub(stream, 1, #prefix) ~= prefix then return false end
  local entry = {'XADD', stream, 'MAXLEN', '~', most, '*', ...}
  local answer = redis.pcall(unpack(entry))
  if type(answer) == 'table' and answer.err then
    if string.find(answer.err, 'WRONGTYPE', 1, true) then return false end
    redis.call(unpack(entry)) -- which raises what is wrong
  end
  redis.call('PEXPIRE', stream, ttl_ms)
  return true
end
