-- ARGV: ..., and of each counter its window in seconds, what is pending, for how many
-- ms its newest sub-bucket has been filling, what is new, whether it holds no matter
-- what stands here, and its counts.
for i = 3, #KEYS do
	local at = 3 + (i - 3) * 6
	local window, pending, phase, fresh = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
	local bucket = math.floor(now / width(window))
	-- My sub-buckets do not begin when the machine's do: nothing is to end too early.
	local later = now - bucket * width(window) > phase and 1 or 0
	local told, sum, n = { epoch, pending, bucket }, 0, 0
	for count in string.gmatch(ARGV[at + 5], '%d+') do
		local j = 4 + math.max(n - later, 0)
		told[j] = (told[j] or 0) + tonumber(count)
		sum, n = sum + tonumber(count), n + 1
	end
	local data = redis.call('HGET', KEYS[i], me)
	local row = advance(data and cmsgpack.unpack(data) or { epoch, 0, bucket }, bucket)
	local known = live(row, bucket)
	if ARGV[at + 4] == '1' or sum > known then
		row = told
	elseif sum < known and fresh > 0 then
		row[4] = (row[4] or 0) + fresh -- it has forgotten what stands here
	end
	row[2] = pending
	write(KEYS[i], window, row)
end
return 'OK'
