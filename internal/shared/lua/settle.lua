-- ARGV: ..., whether to keep, and of each counter its window in seconds and amount.
for i = 3, #KEYS do
	local at = 4 + (i - 3) * 2
	local window, amount = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
	local bucket = math.floor(now / width(window))
	local data = redis.call('HGET', KEYS[i], me)
	if data or ARGV[3] == '1' then
		local row = advance(data and read(me, data) or { epoch, 0, bucket }, bucket)
		row[2] = math.max(row[2] - amount, 0)
		if ARGV[3] == '1' then row[4] = (row[4] or 0) + amount end
		write(KEYS[i], window, row)
	end
end
return 'OK'
