#!lua
-- Counts a request against a limit, by this server's clock, where there is room; one that is refused is not counted.
-- KEYS: the counter. ARGV: most, span ms, 1 where the span slides
-- Returns what is left, or -1 for one too many; and the seconds until there is room, or until the span ends.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most, length, slides = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'

local known = redis.call('HMGET', KEYS[1], 'since', 'count', 'before')
local since, count, before = tonumber(known[1]) or now, tonumber(known[2]) or 0, tonumber(known[3]) or 0

-- Windows that have begun since; a clock that was set back begins anew rather than never.
local passed = 2
if now >= since then passed = math.floor((now - since) / length) end
if passed > 0 then
  if passed == 1 and slides then
    before, since = count, since + length
  else
    before, since = 0, now
  end
  count = 0
end

local function seconds(ms) return math.max(1, math.ceil(ms / 1000)) end

local elapsed = now - since
-- The window before counts by the share of it that is within reach, rounded up.
local used = math.ceil(before * (length - elapsed) / length) + count
if used < most then
  redis.call('HSET', KEYS[1], 'since', since, 'count', count + 1, 'before', before)
  redis.call('PEXPIRE', KEYS[1], 2 * length)
  return { most - used - 1, seconds(length - elapsed) }
end

-- When the share of a window leaves room for one more.
local function from(of, room) return math.max(0, length - math.floor(room * length / math.max(of, 1))) end

local room = most - (count + 1)
if room >= 0 then return { -1, seconds(math.max(0, from(before, room) - elapsed)) } end
local further = 0
if slides then further = from(count, math.max(most - 1, 0)) end
return { -1, seconds(length - elapsed + further) }
