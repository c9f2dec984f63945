#!lua flags=allow-oom
-- Gives an instance's lease back and forgets it. KEYS: leases, acknowledged. ARGV: instance
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
