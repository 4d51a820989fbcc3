-- Send an answer to the client, if the request is still this worker's, and renew the lease.
-- KEYS task leases
-- ARGV id worker lease_ms header(JSON; '': renew only) pcm seq max_entries out_ttl_ms is_end message_key
-- -> 1, or 0: the lease is lost, the request was cancelled or its client is gone
local task = run('HMGET', KEYS[1], 'state', 'worker', 'out', 'session')
if task[1] ~= 'leased' or task[2] ~= ARGV[2] then return 0 end
local is_there
if ARGV[4] == '' then
  is_there = task[4] and redis.call('EXISTS', task[4]) == 1
else
  is_there = tell(KEYS[2], task[3], task[4], ARGV[8], ARGV[7], 'u', ARGV[1], 's', ARGV[6], 'h', ARGV[4],
    'd', ARGV[5])
end
if ARGV[9] == '1' or not is_there then
  run('ZREM', KEYS[2], ARGV[1])
  redis.call('DEL', KEYS[1], ARGV[10])
else
  local now = redis.call('TIME')
  run('ZADD', KEYS[2], 'XX', now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[3], ARGV[1])
end
return is_there and 1 or 0
