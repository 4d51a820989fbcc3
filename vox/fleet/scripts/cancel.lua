-- Forget a request, and tell the worker that makes it.
-- KEYS task leases  ARGV prefix id  -> '' unknown, 'queued', or the worker that was told
local task = run('HMGET', KEYS[1], 'state', 'worker', 'client', 'ring')
if not task[1] then return '' end
redis.call('DEL', KEYS[1], ARGV[1] .. ':m:' .. ARGV[2])
run('ZREM', KEYS[2], ARGV[2])
if task[1] == 'queued' then
  local queue = task[4] .. ':' .. task[3]
  run('ZREM', queue, ARGV[2])
  if run('ZCARD', queue) == 0 then run('ZREM', task[4], task[3]) end
  return 'queued'
end
redis.call('PUBLISH', ARGV[1] .. ':ctl:' .. task[2], ARGV[2])
return task[2]
