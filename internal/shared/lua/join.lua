-- Has no common part: who joins has no epoch yet. KEYS: epochs, claims, when each was
-- heard of, the key that names are hashed with, what tells this store's life from
-- another, and the last epoch. ARGV: name, key and life to use if there are none, and
-- names and silence in ms of machines that it knows.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('SETNX', KEYS[4], ARGV[2])
redis.call('SETNX', KEYS[5], ARGV[3])
local epoch = redis.call('INCR', KEYS[6])
redis.call('HSET', KEYS[1], ARGV[1], epoch)
redis.call('ZADD', KEYS[3], now, ARGV[1])
for i = 4, #ARGV, 2 do
	redis.call('ZADD', KEYS[3], 'NX', now - tonumber(ARGV[i + 1]), ARGV[i])
	redis.call('HSETNX', KEYS[1], ARGV[i], 0)
end
local claims, answer = redis.call('HGETALL', KEYS[2]), {}
for i = 1, #claims, 2 do
	local till, rest = string.match(claims[i + 1], '^(%d+):(.*)$')
	if tonumber(till) > now then
		answer[#answer + 1] = string.format('%s:%.0f:%s', claims[i], tonumber(till) - now, rest)
	end
end
return { epoch, redis.call('GET', KEYS[4]), redis.call('GET', KEYS[5]), answer }
