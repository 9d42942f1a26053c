-- Drops the oldest entries of a stream, and keeps those that were the last of their kind:
-- in a hash, each behind its id, and by number. An entry says behind `=` of what it is the
-- last one, or behind `-` of what there is none any more, or that it is neither.
--
-- KEYS: the stream, the hash, the sorted set of the hash's fields.
-- ARGV: how many entries are kept, how many of the last ones, the term in which numbers
-- begin, and how many there are in each.
local stream, hash, numbers = unpack(KEYS)
local kept, last_kept, first_term, entries_per_term = unpack(ARGV)

-- Where others have dropped or appended something, such as nodes that were built with other
-- options, what is here may not be the last any more.
local function forget()
  redis.call('DEL', hash, numbers)
end

-- Keeps what is to be kept of some entries.
local function keep(entries)
  local values, scores, removed, is_known = {}, {}, {}, { [''] = true }
  for i = #entries, 1, -1 do
    local id, fields = entries[i][1], entries[i][2]
    local mark = fields[4]
    if fields[1] ~= 't' and fields[3] ~= 'l' then
      forget()
      break
    end
    if mark and not is_known[mark] then
      local name = string.sub(mark, 2)
      is_known['=' .. name], is_known['-' .. name] = true, true
      if string.sub(mark, 1, 1) == '-' then
        removed[#removed + 1] = name
      else
        local term, index = string.match(id, '(%d+)-(%d+)')
        local place = #values
        values[place + 1], values[place + 2] = name, id .. ' ' .. fields[2]
        scores[place + 1] = (term - first_term) * entries_per_term + index
        scores[place + 2] = name
      end
    end
  end
  redis.call('HSET', hash, '', entries[#entries][1], unpack(values))
  if #removed > 0 then
    redis.call('HDEL', hash, unpack(removed))
    redis.call('ZREM', numbers, unpack(removed))
  end
  if #scores > 0 then
    redis.call('ZADD', numbers, unpack(scores))
  end
end

local length = redis.call('XLEN', stream)
local excess, dropped, from = math.min(length - kept, 1000), 0, '-'
while dropped < excess do
  -- Few at once, as they may be long.
  local count = math.min(excess - dropped, 32)
  local entries = redis.call('XRANGE', stream, from, '+', 'COUNT', count)
  if #entries == 0 then
    break
  end
  if dropped == 0 then
    -- The field without a name says up to which entry all are known.
    local id, fields = unpack(entries[1])
    local term, index = string.match(id, '(%d+)-(%d+)')
    local before = string.format('%s-%.0f', term, index - 1)
    if fields[1] == 't' then
      before = string.match(fields[2], ' (.+)$')
    end
    if redis.call('HGET', hash, '') ~= before then
      forget()
    end
  end
  keep(entries)
  dropped, from = dropped + #entries, '(' .. entries[#entries][1]
end
if dropped > 0 then
  redis.call('XTRIM', stream, 'MAXLEN', length - dropped)
  -- Some at a time, if fewer are kept than before.
  local excess = math.min(redis.call('ZCARD', numbers) - last_kept, 1000)
  if excess > 0 then
    local oldest, names = redis.call('ZPOPMIN', numbers, excess), {}
    for i = 1, #oldest, 2 do
      names[#names + 1] = oldest[i]
    end
    redis.call('HDEL', hash, unpack(names))
  end
end
