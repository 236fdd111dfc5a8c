-- KEYS: sorted set. ARGV: seconds, then what ZADD takes. Adds and keeps the set at least so long.
redis.call('ZADD', KEYS[1], unpack(ARGV, 2))
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return 1
