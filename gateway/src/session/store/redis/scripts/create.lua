-- KEYS: session. ARGV: seconds to keep it, then fields and values.
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
