-- Begins a term, if the last one began in another server, a stream is gone, was deleted and
-- written to, or ends with what is of another time, as nothing of that term is; or if a node
-- knows a term that isn't known here, and none has begun since. Returns the terms, the last
-- id of each stream and the key of tickets.
--
-- KEYS: the terms, the key of tickets, then the streams.
-- ARGV: the run of this server, an epoch for a new term, the term and the epoch that the
-- node knows, the least term that its numbers allow, the last one that has numbers, the
-- layout, the key of the node's tickets.
local run, epoch, known_term, known_epoch, least, most, layout, ticket_key = unpack(ARGV)
local entries_per_term = 4096

local written = redis.call('LRANGE', KEYS[1], 0, -1)
local last = written[#written] and cjson.decode(written[#written])
if last and last.layout ~= layout then
  return redis.error_reply('LAYOUT nodes of another version of pode use this name')
end

-- Returns the least term behind an entry.
local function behind(id)
  local term, index = string.match(id, '(%d+)-(%d+)')
  return tonumber(term) + math.floor(tonumber(index) / entries_per_term) + 1
end

-- Why a key can't be used.
local unusable

-- Returns the last id of a stream, and whether an entry is kept there.
local function top(key)
  local info = redis.pcall('XINFO', 'STREAM', key)
  if info.err then
    if not string.find(info.err, 'no such key', 1, true) then
      unusable = '`' .. key .. '`: ' .. info.err
    end
    return nil
  end
  local last, length
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      last = info[i + 1]
    elseif info[i] == 'length' then
      length = info[i + 1]
    end
  end
  if behind(last) > tonumber(most) then
    unusable = '`' .. key .. '` ends with ' .. last .. ', behind which there are no numbers; delete it'
  end
  return last, length > 0
end

-- Those of this node, and those that only others have.
local streams, tops = {}, {}
for i = 3, #KEYS do
  streams[i - 2], tops[KEYS[i]] = KEYS[i], top(KEYS[i])
end
local is_new = not last or last.run ~= run
for key in pairs(last and last.heads or {}) do
  if not tops[key] then
    tops[key] = top(key)
    is_new = is_new or not tops[key]
  end
end
-- Nothing is written before that is clear.
if unusable then
  return redis.error_reply('STREAM ' .. unusable)
end
-- Entries of a term have an index from 1 on, but where somebody has deleted a stream and
-- written to it, and nodes have, so that numbers come twice.
local last_term = last and last.term or known_term
local twice = last_term .. '-0'
local spoiled = {}
for key, head in pairs(tops) do
  spoiled[key] = #redis.call('XRANGE', key, twice, twice) > 0
  is_new = is_new or spoiled[key] or string.match(head, '%d+') ~= last_term
end

-- Returns up to which entry nothing of a stream is lost. If it ends with what others have
-- written, that is the last one of a node before, which may be gone with the stream.
local function head(key)
  if spoiled[key] then
    return twice
  elseif not tops[key] or string.match(tops[key], '%d+') == last_term then
    return tops[key] or '0-0'
  end
  local kept = redis.call('XREVRANGE', key, last_term, last_term, 'COUNT', 1)
  return kept[1] and kept[1][1] or '0-0'
end
if known_term ~= '0' then
  -- A later term tells that node what is lost, too, but if there is another one of the
  -- same number.
  local is_known = last and tonumber(last.term) > tonumber(known_term)
    and tonumber(last.term) >= tonumber(least)
  for _, json in ipairs(written) do
    local term = cjson.decode(json)
    if term.term == known_term then
      is_known = term.epoch == known_epoch
    end
  end
  is_new = is_new or not is_known
end

if is_new then
  local heads = {}
  for key in pairs(last and last.heads or {}) do
    heads[key] = head(key)
  end
  for _, key in ipairs(streams) do
    heads[key] = head(key)
  end
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local term = math.max(now, tonumber(least))
  if last then
    term = math.max(term, tonumber(last.term) + 1)
  end
  for _, top in pairs(tops) do
    term = math.max(term, behind(top))
  end
  if term > tonumber(most) then
    return redis.error_reply('TERM its clock shows a year after 2094')
  end
  term = string.format('%.0f', term)
  for key, head in pairs(heads) do
    if spoiled[key] then
      -- Nobody is to read that any more.
      redis.call('XTRIM', key, 'MAXLEN', 0)
    end
    tops[key] = term .. '-1'
    redis.call('XADD', key, tops[key], 't', epoch .. ' ' .. head)
  end
  last = { term = term, epoch = epoch, run = run, heads = heads, layout = layout }
  redis.call('RPUSH', KEYS[1], cjson.encode(last))
  redis.call('LTRIM', KEYS[1], -16, -1)
else
  -- A signal that no node has had before.
  for _, key in ipairs(streams) do
    if not tops[key] then
      tops[key] = last.term .. '-1'
      last.heads[key] = '0-0'
      redis.call('XADD', key, tops[key], 't', last.epoch .. ' 0-0')
      redis.call('LSET', KEYS[1], -1, cjson.encode(last))
    end
  end
end

-- Somebody may have trimmed a stream to nothing.
local ends = {}
for i, key in ipairs(streams) do
  local last, is_kept = top(key)
  ends[i] = { last, is_kept and 1 or 0 }
end
redis.call('SET', KEYS[2], ticket_key, 'NX')
return { redis.call('LRANGE', KEYS[1], 0, -1), ends, redis.call('GET', KEYS[2]) }
