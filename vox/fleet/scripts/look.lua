-- Say that a client is there, and see which workers are.
-- KEYS session leases (none: only look). A cluster refuses both together, as it would all else.
-- ARGV workers prefix_of_announcements most ttl_ms
-- The workers' keys are no KEYS: EVALSHA wants the right to read and write its KEYS, and a client may
-- only read those.
-- -> 1 if the client was known, the server's time in s, then id, when it was seen and announcement
-- of each worker
local was_known = 0
if KEYS[1] then
  was_known = redis.call('EXISTS', KEYS[1])
  -- A full server is not used, so this is written each time.
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[4])
end
local time = redis.call('TIME')
local found = {was_known, time[1] .. '.' .. string.format('%06d', time[2])}
local seen = run('ZREVRANGE', ARGV[1], 0, ARGV[3] - 1, 'WITHSCORES')
local announcements = {}
for i = 1, #seen, 2 do announcements[#announcements + 1] = ARGV[2] .. seen[i] end
if #announcements > 0 then announcements = redis.call('MGET', unpack(announcements)) end
for i = 1, #announcements do
  if announcements[i] then
    found[#found + 1] = seen[2 * i - 1]
    found[#found + 1] = seen[2 * i]
    found[#found + 1] = announcements[i]
  end
end
return found
