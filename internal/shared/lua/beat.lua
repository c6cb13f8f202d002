-- KEYS[3]: when each machine was heard of. ARGV: ..., where to go on looking for claims
-- that are over. Gives where to go on next, and names and silence in ms of all machines.
redis.call('ZADD', KEYS[3], now, me)
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - 3600000)) do
	redis.call('ZREM', KEYS[3], name)
	redis.call('HDEL', KEYS[1], name)
end
local found = redis.call('HSCAN', KEYS[2], ARGV[3], 'COUNT', 100)
for i = 1, #found[2], 2 do
	if tonumber(string.match(found[2][i + 1], '^%d+')) <= now then redis.call('HDEL', KEYS[2], found[2][i]) end
end
local answer, seen = { found[1] }, redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')
for i = 1, #seen, 2 do
	answer[#answer + 1] = seen[i]
	answer[#answer + 1] = now - tonumber(seen[i + 1])
end
return answer
