-- KEYS: session. ARGV: slack, the version it must have, then fields and values; the first five are version, body, last
-- use, idle time and absolute end, the eighth may be missing. Returns the new end; nothing if the session is gone or has another version. The same
-- replacement once more is no conflict: its answer may have been lost.
local kept = redis.call('HMGET', KEYS[1], 'v', 'b', 'u')
if not kept[1] then return false end
if kept[1] ~= ARGV[2] and not (kept[1] == ARGV[4] and kept[2] == ARGV[6]) then return false end
local used = ARGV[8]
if (tonumber(kept[3]) or 0) > tonumber(used) then used = kept[3] end
-- What needs memory comes first: a script that wrote something is let write more, and half of it would count.
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('HSET', KEYS[1], 'u', used)
if #ARGV < 18 then redis.call('HDEL', KEYS[1], 'p') end
return last(KEYS[1], used, ARGV[10], ARGV[12], ARGV[1])
