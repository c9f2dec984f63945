#!lua flags=allow-oom
-- Renews an instance's lease, takes its acknowledgement, and says what has happened since.
-- KEYS: state, marks, tokens, leases, acknowledged
-- ARGV: incarnation to begin with, known incarnation, known number, known token, instance, lease ms, most marks
local state, marks, tokens, leases, acknowledged = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = tonumber(ARGV[3])

local incarnation = redis.call('HGET', state, 'incarnation')
if not incarnation then
  if ARGV[2] ~= '' then return {'broken'} end
  redis.call('DEL', marks, tokens, acknowledged)
  incarnation = ARGV[1]
  redis.call('HSET', state, 'incarnation', incarnation, 'sequence', 0, 'marks', 0, 'hard', 0, 'soft', 0, 'born', now)
end
local latest = tonumber(redis.call('HGET', state, 'sequence'))
if redis.call('ZCARD', marks) ~= tonumber(redis.call('HGET', state, 'marks')) then
  return {'broken'}
end
if ARGV[2] ~= '' then
  if ARGV[2] ~= incarnation or known > latest then return {'broken'} end
  if ARGV[4] ~= '' and known > 0 then
    local at = redis.call('ZSCORE', tokens, ARGV[4])
    local first = redis.call('ZRANGE', tokens, 0, 0, 'WITHSCORES')
    -- Another token at that number, or none where one must be: the histories forked.
    if (at and tonumber(at) ~= known) or (not at and first[2] and tonumber(first[2]) <= known) then
      return {'broken'}
    end
  end
end

local most = tonumber(ARGV[7])
local found = redis.call('ZRANGEBYSCORE', marks, '(' .. known, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
local reached = latest
if #found == 2 * most then
  -- The last number may not be whole here: it is left for the next answer.
  local last = found[#found]
  while #found > 0 and found[#found] == last do
    found[#found] = nil
    found[#found] = nil
  end
  reached = tonumber(found[#found])
end
local token = redis.call('ZRANGEBYSCORE', tokens, reached, reached, 'LIMIT', 0, 1)[1] or ''

-- Leases that are gone may still be trusted by their holders: as after a beginning, invalidations wait for one term.
if redis.call('EXISTS', leases) == 0 then redis.call('HSET', state, 'born', now) end
redis.call('ZADD', leases, now + tonumber(ARGV[6]), ARGV[5])
-- By its token, so that it says nothing about another invalidation that comes to take the same number.
redis.call('HSET', acknowledged, ARGV[5], (ARGV[2] == incarnation) and ARGV[4] or '')
-- Who has not been heard of for a minute is gone.
local gone = redis.call('ZRANGEBYSCORE', leases, '-inf', now - 60000, 'LIMIT', 0, 100)
if #gone > 0 then
  redis.call('ZREM', leases, unpack(gone))
  redis.call('HDEL', acknowledged, unpack(gone))
end
local positions, fields = {}, redis.call('HGETALL', state)
for i = 1, #fields, 2 do
  local shard = string.match(fields[i], '^log:(%d+)$')
  if shard then
    positions[#positions + 1] = shard
    positions[#positions + 1] = fields[i + 1]
  end
end
return {
  'continued', incarnation, latest, reached, token, tonumber(redis.call('HGET', state, 'hard')),
  tonumber(redis.call('HGET', state, 'soft')), now, found,
  positions
}
