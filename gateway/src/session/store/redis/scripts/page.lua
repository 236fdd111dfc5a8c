-- KEYS: sorted set. ARGV: how many, then score and member of the last one seen, if any. Returns members and scores that
-- stand behind it, whether or not it is still there.
local first = 0
if ARGV[2] then
  -- Those of one score stand in the order of their bytes; `<` would compare by the server's language instead.
  local function stands_behind(one, other)
    for place = 1, math.min(#one, #other) do
      local a, b = one:byte(place), other:byte(place)
      if a ~= b then return a > b end
    end
    return #one > #other
  end
  first = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[2])
  local stop = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[2])
  while first < stop do
    local middle = math.floor((first + stop) / 2)
    if stands_behind(redis.call('ZRANGE', KEYS[1], middle, middle)[1], ARGV[3]) then
      stop = middle
    else
      first = middle + 1
    end
  end
end
return redis.call('ZRANGE', KEYS[1], first, first + tonumber(ARGV[1]) - 1, 'WITHSCORES')
