-- Tell the clients of requests whose lease ran out that they are lost. Anyone may call it.
-- KEYS leases
-- ARGV prefix max_entries out_ttl_ms, or also an id and its worker: that one is given back now
-- -> the ids
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ids, event = {ARGV[4]}, 'back'
if not ARGV[4] then
  event = 'lost'
  ids = run('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 50)
end
local ended = {}
for _, id in ipairs(ids) do
  local key = ARGV[1] .. ':u:' .. id
  local task = run('HMGET', key, 'worker', 'out', 'session')
  if not ARGV[5] or task[1] == ARGV[5] then
    run('ZREM', KEYS[1], id)
    redis.call('DEL', key, ARGV[1] .. ':m:' .. id)
    tell(KEYS[1], task[2], task[3], ARGV[3], ARGV[2], 'u', id, 's', '-1',
      'h', cjson.encode({event = event, worker = task[1]}), 'd', '')
    ended[#ended + 1] = id
  end
end
return ended
