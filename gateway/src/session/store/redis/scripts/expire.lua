-- KEYS: session. ARGV: the present. Removes a session that is over and returns what it was; for one that is not over,
-- its end alone; for one that is gone or was no session, nothing.
local kept = redis.call('HMGET', KEYS[1], 's', 'u', 'i', 'a', 'x', 'p')
local used, idle, absolute_end = tonumber(kept[2]), tonumber(kept[3]), tonumber(kept[4])
if not (used and idle and absolute_end) then
  redis.call('DEL', KEYS[1])
  return false
end
local over = math.min(used + idle, absolute_end)
if over > tonumber(ARGV[1]) then return {string.format('%.0f', over)} end
redis.call('DEL', KEYS[1])
return kept
