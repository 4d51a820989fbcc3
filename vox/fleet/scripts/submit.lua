-- Put a request into the queue. The same id is the same request.
-- KEYS task queue ring vt seq wake session
-- ARGV id client priority cost ttl_ms out message message_key seq('': a new one) avoid(see claim)
-- The message's key is no KEY: EVALSHA wants the right to read and write its KEYS, and a client may
-- only write that one.
-- -> the request's seq, 0 if it was known, -1 if the client's session is not (or no longer) known
if redis.call('EXISTS', KEYS[7]) == 0 then return -1 end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local seq = ARGV[9]
if seq == '' then seq = run('INCR', KEYS[5]) end
redis.call('PEXPIRE', KEYS[5], 86400000)
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'client', ARGV[2], 'ring', KEYS[3], 'session', KEYS[7], 'cost', ARGV[4],
  'out', ARGV[6], 'at', now[1] * 1000 + math.floor(now[2] / 1000), 'state', 'queued',
  'avoid', ARGV[10])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SET', ARGV[8], ARGV[7], 'PX', ARGV[5])
-- Within a client: by priority, then as it came, by the server's count and not by anyone's clock.
run('ZADD', KEYS[2], seq - ARGV[3] * 1099511627776, ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
-- Between clients: start-time fair queueing. One that had nothing waiting starts at "now", which is
-- where the client is that is the most behind in this ring: other rings may be far from there.
if not run('ZSCORE', KEYS[3], ARGV[2]) then
  local now = run('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2] or run('HGET', KEYS[4], '')
  local own = run('HGET', KEYS[4], ARGV[2])
  run('ZADD', KEYS[3], math.max(served(now), served(own)), ARGV[2])
end
redis.call('PEXPIRE', KEYS[3], ARGV[5])
-- One token wakes one idle worker, perhaps one that leaves it to others. One too many costs an empty
-- claim.
run('LPUSH', KEYS[6], '1')
for _ in string.gmatch(ARGV[10], '%S+') do run('LPUSH', KEYS[6], '1') end
run('LTRIM', KEYS[6], 0, 63)
redis.call('PEXPIRE', KEYS[6], ARGV[5])
return tonumber(seq)
