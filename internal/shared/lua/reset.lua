-- Forgets the counts of all machines. What is pending stays.
for i = 3, #KEYS do
	local flat = redis.call('HGETALL', KEYS[i])
	for j = 1, #flat, 2 do
		local row = cmsgpack.unpack(flat[j + 1])
		if row[2] > 0 then
			redis.call('HSET', KEYS[i], flat[j], cmsgpack.pack({ row[1], row[2], row[3] }))
		else
			redis.call('HDEL', KEYS[i], flat[j])
		end
	end
end
return 'OK'
