-- Send an answer to the client, if the request is still this worker's, and renew the lease.
-- KEYS task leases
-- ARGV id worker lease_ms header(JSON; '': renew only) pcm seq max_entries out_ttl_ms is_end message_key
-- -> 1, or 0: the lease is lost, the request was cancelled or its client is gone
local task = redis.call('HMGET', KEYS[1], 'state', 'worker', 'out', 'session')
if task[1] ~= 'leased' or task[2] ~= ARGV[2] then return 0 end
if redis.call('EXISTS', task[4]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('DEL', KEYS[1], ARGV[10])
  return 0
end
if ARGV[4] ~= '' then
  redis.call('XADD', task[3], 'MAXLEN', '~', ARGV[7], '*', 'u', ARGV[1], 's', ARGV[6], 'h', ARGV[4],
    'd', ARGV[5])
  redis.call('PEXPIRE', task[3], ARGV[8])
end
if ARGV[9] == '1' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('DEL', KEYS[1], ARGV[10])
else
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[2], 'XX', now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[3], ARGV[1])
end
return 1
