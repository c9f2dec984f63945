#!lua flags=allow-oom
-- Takes the next number, writes it on tags, and raises the positions in the database's logs.
-- KEYS: state, marks, tokens
-- ARGV: incarnation to begin with, token, h or s, most marks, channel, number of positions, shard and position of each,
--       tags…
local state, marks, tokens = KEYS[1], KEYS[2], KEYS[3]
local incarnation = redis.call('HGET', state, 'incarnation')
if not incarnation then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('DEL', marks, tokens)
  incarnation = ARGV[1]
  redis.call('HSET', state, 'incarnation', incarnation, 'sequence', 0, 'marks', 0, 'hard', 0, 'soft', 0, 'born', now)
end
-- Positions are 16 digits. Not compared as text, since that goes by the locale of the server, in some of which `dd` comes
-- after `de`; and not as one number, since a double holds 53 bits.
local function halves(position)
  return tonumber(string.sub(position, 1, 8), 16), tonumber(string.sub(position, 9), 16)
end
local tags = 7 + 2 * tonumber(ARGV[6])
for i = 7, tags - 1, 2 do
  -- In the state, so that they are not lost apart from the sequence.
  local field, high, low = 'log:' .. ARGV[i], halves(ARGV[i + 1])
  local known_high, known_low = halves(redis.call('HGET', state, field) or '0000000000000000')
  if high > known_high or (high == known_high and low > known_low) then
    redis.call('HSET', state, field, ARGV[i + 1])
  end
end
local number = redis.call('HINCRBY', state, 'sequence', 1)
local added = 0
for i = tags, #ARGV do
  added = added + redis.call('ZADD', marks, number, ARGV[3] .. ARGV[i])
end
redis.call('ZADD', tokens, number, ARGV[2])
redis.call('ZREMRANGEBYRANK', tokens, 0, -10001)
local count = redis.call('HINCRBY', state, 'marks', added)
local most = tonumber(ARGV[4])
if count > most then
  -- The older half is forgotten: whatever carries no number counts as invalidated at the highest of them.
  local half = math.floor(count / 2)
  local highest = redis.call('ZRANGE', marks, half - 1, half - 1, 'WITHSCORES')[2]
  redis.call('ZREMRANGEBYRANK', marks, 0, half - 1)
  redis.call('HSET', state, 'marks', count - half, 'hard', highest, 'soft', highest)
end
redis.call('PUBLISH', ARGV[5], number)
return {incarnation, number}
