#!lua flags=allow-oom
-- How many other instances may trust what is older than a number.
-- KEYS: state, tokens, leases, acknowledged
-- ARGV: incarnation, number, instance, grace ms, lease ms
local state, tokens, leases, acknowledged = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('HGET', state, 'incarnation') ~= ARGV[1] then return -1 end
local waiting = 0
-- With the state, leases may have been lost that their holders still trust.
if now < tonumber(redis.call('HGET', state, 'born')) + tonumber(ARGV[5]) then waiting = 1 end
for _, instance in ipairs(redis.call('ZRANGEBYSCORE', leases, now - tonumber(ARGV[4]), '+inf')) do
  local token = redis.call('HGET', acknowledged, instance) or ''
  local seen = tonumber(redis.call('ZSCORE', tokens, token) or '-1')
  if instance ~= ARGV[3] and seen < tonumber(ARGV[2]) then waiting = waiting + 1 end
end
return waiting
