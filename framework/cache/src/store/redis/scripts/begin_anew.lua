#!lua flags=allow-oom
-- Begins another sequence in which everything counts as invalidated, unless that was done on account of the known one.
-- KEYS: state, marks, tokens, leases, acknowledged, replaced
-- ARGV: incarnation to begin with, known incarnation, known number, channel
local state, marks, tokens, acknowledged, replaced = KEYS[1], KEYS[2], KEYS[3], KEYS[5], KEYS[6]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local incarnation = redis.call('HGET', state, 'incarnation')
local sequence = tonumber(redis.call('HGET', state, 'sequence') or '0')
local known = tonumber(ARGV[3])
local whole = incarnation and redis.call('ZCARD', marks) == tonumber(redis.call('HGET', state, 'marks'))
if whole and incarnation ~= ARGV[2] and redis.call('ZSCORE', replaced, ARGV[2]) then
  -- Done by another instance; only numbers must not go back for this one.
  if sequence <= known then redis.call('HSET', state, 'sequence', known + 1) end
  return 0
end
local first = math.max(sequence, known) + 1
redis.call('ZADD', replaced, first, ARGV[2])
if incarnation then redis.call('ZADD', replaced, first, incarnation) end
redis.call('ZREMRANGEBYRANK', replaced, 0, -101)
-- Leases stay: their holders still trust what they know, so invalidations must wait for them.
redis.call('DEL', marks, tokens, acknowledged)
redis.call('HSET', state, 'incarnation', ARGV[1], 'sequence', first, 'marks', 0, 'hard', first, 'soft', 0, 'born', now)
redis.call('PUBLISH', ARGV[4], first)
return 1
