-- Returns up to which entry the last entries are known, some of those below a number, the
-- highest first, and the lowest of their numbers: see trim.lua. Both are empty behind the
-- last one.
--
-- KEYS: the hash, the sorted set of its fields.
-- ARGV: the number, how many entries, and how many bytes, at most; one entry may be longer.
local hash, numbers = unpack(KEYS)
local below, most, most_bytes = '(' .. ARGV[1], ARGV[2], tonumber(ARGV[3])

local found = redis.call('ZRANGE', numbers, below, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most,
  'WITHSCORES')
local values, lowest, bytes = {}, '', 0
for i = 1, #found, 2 do
  local value = redis.call('HGET', hash, found[i])
  if value then
    bytes = bytes + #value
    if #values > 0 and bytes > most_bytes then
      break
    end
    values[#values + 1] = value
  end
  lowest = found[i + 1]
end
return { redis.call('HGET', hash, '') or '', values, lowest }
