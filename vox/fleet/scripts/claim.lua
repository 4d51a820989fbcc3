-- Take the next request for a worker, and its lease, in one step, and tell its client (`begun`).
-- KEYS leases vt, then the rings: all lanes of the first tier, then of the next
-- ARGV prefix worker lease_ms max_entries out_ttl_ms
--      then for each lane how long a request waits at least, in ms
-- -> {id, message} or nothing; '' instead of a message that is too long, or is none
-- Those that a request avoids, by their ids, leave it to others for a while.
local avoided_ms = 30000
local most_bytes = 4194304 -- 12 for each character of the longest texts
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local prefix, worker, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local before_ages = 5
local width = #ARGV - before_ages

local function drop(ring, queue, client, id)
  run('ZREM', queue, id)
  redis.call('DEL', prefix .. ':u:' .. id, prefix .. ':m:' .. id)
  if redis.call('ZCARD', queue) == 0 then run('ZREM', ring, client) end
end

-- The first request of a client, what is nobody's any more thrown out; nil if there is none.
local function first(ring, client)
  local queue = ring .. ':' .. client
  for _ = 1, 100 do
    local id = run('ZRANGE', queue, 0, 0)[1]
    if not id then
      run('ZREM', ring, client)
      return nil
    end
    local task = run('HMGET', prefix .. ':u:' .. id, 'state', 'at', 'session', 'cost', 'avoid',
      'out')
    local at, cost = tonumber(task[2] or ''), tonumber(task[4] or '')
    if task[1] == 'queued' and task[3] and redis.call('EXISTS', task[3]) == 1 then
      return {ring = ring, queue = queue, client = client, id = id, session = task[3], out = task[6],
        at = at and at <= now and at or now, cost = cost and cost >= 1 and cost <= 1e6 and cost or 1,
        is_avoided = string.find(' ' .. (task[5] or '') .. ' ', ' ' .. worker .. ' ', 1, true)}
    end
    drop(ring, queue, client, id)
  end
end

-- The first request of the client that is the most behind in this ring.
local function best_of(ring, min_age)
  local clients = run('ZRANGE', ring, 0, 31, 'WITHSCORES')
  local is_stale = false
  for i = 1, #clients, 2 do
    local own = served(run('HGET', KEYS[2], clients[i]))
    if own > served(clients[i + 1]) then -- it was served from another ring meanwhile
      redis.call('ZADD', ring, 'XX', own, clients[i])
      is_stale = true
    end
  end
  if is_stale then clients = redis.call('ZRANGE', ring, 0, 31, 'WITHSCORES') end
  for i = 1, #clients, 2 do
    local found = first(ring, clients[i])
    local least = found and found.is_avoided and math.max(min_age, avoided_ms) or min_age
    if found and now - found.at >= least then
      found.vt = served(clients[i + 1])
      return found
    end
  end
end

for from = 3, #KEYS, width do
  local best
  for lane = 1, width do
    local found = best_of(KEYS[from + lane - 1], tonumber(ARGV[before_ages + lane]))
    if found and (not best or found.vt < best.vt) then best = found end
  end
  if best then
    -- First: where it is refused, for the server is full, the request stays where it is.
    tell(KEYS[1], best.out, best.session, ARGV[5], ARGV[4], 'u', best.id, 's', '0',
      'h', cjson.encode({event = 'begun', worker = worker}), 'd', '')
    run('ZREM', best.queue, best.id)
    redis.call('HSET', prefix .. ':u:' .. best.id, 'state', 'leased', 'worker', worker)
    redis.call('PEXPIRE', prefix .. ':u:' .. best.id, 3600000) -- it may have waited for long
    run('ZADD', KEYS[1], now + lease, best.id)
    redis.call('PEXPIRE', KEYS[1], 3600000)
    run('HSET', KEYS[2], '', best.vt, best.client, best.vt + best.cost)
    redis.call('PEXPIRE', KEYS[2], 86400000)
    if redis.call('ZCARD', best.queue) == 0 then
      redis.call('ZREM', best.ring, best.client)
    else
      redis.call('ZADD', best.ring, 'XX', best.vt + best.cost, best.client)
    end
    local message = prefix .. ':m:' .. best.id
    local size = redis.pcall('STRLEN', message)
    if type(size) ~= 'number' or size == 0 or size > most_bytes then return {best.id, ''} end
    return {best.id, redis.call('GET', message)}
  end
end
return nil
