-- Lets a session's entry outlive the session by `slack` seconds, never less, and returns the session's end. The time
-- left is counted from the last use, so that it does not matter what time this server thinks it is.
local function last(key, used, idle, absolute_end, slack)
  local left = math.max(math.min(tonumber(idle), tonumber(absolute_end) - tonumber(used)), 0)
  redis.call('EXPIRE', key, string.format('%.0f', math.min(left, 315360000) + tonumber(slack)))
  return string.format('%.0f', tonumber(used) + left)
end
