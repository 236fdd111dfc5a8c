-- KEYS: session. ARGV: slack, time of use. Returns the new end; nothing if the session is gone or was used later.
local kept = redis.call('HMGET', KEYS[1], 'u', 'i', 'a')
local used, idle, absolute_end = tonumber(kept[1]), tonumber(kept[2]), tonumber(kept[3])
if not (used and idle and absolute_end) or tonumber(ARGV[2]) <= used then return false end
redis.call('HSET', KEYS[1], 'u', ARGV[2])
return last(KEYS[1], ARGV[2], idle, absolute_end, ARGV[1])
