-- ARGV: ..., whether to reserve, number of machines, silent machines, and of each
-- counter its ID, window in seconds, max, amount, and whether it only reports.
-- Gives whether all fit, and of each counter: used, over, wait in ms, max that holds.
local reserve, machines = ARGV[3] == '1', tonumber(ARGV[4])
local silent = {}
for name in string.gmatch(ARGV[5], '%S+') do silent[#silent + 1] = name end

local fits, answer, took = 1, { 1 }, {}
for i = 3, #KEYS do
	local at = 6 + (i - 3) * 5
	local id, window, most, amount = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
	local bucket = math.floor(now / width(window))
	local flat, rows, uses, used = redis.call('HGETALL', KEYS[i]), {}, {}, 0
	for j = 1, #flat, 2 do
		local row = read(flat[j], flat[j + 1])
		rows[flat[j]], uses[flat[j]] = row, live(row, bucket) + row[2]
		used = used + uses[flat[j]]
	end
	-- A machine that is not heard of may be using its part by itself.
	local holds = most
	for _, name in ipairs(silent) do
		holds = holds - math.max(math.ceil(most / machines) - (uses[name] or 0), 0)
	end
	holds = math.max(holds, 0)
	local over, wait = 0, 0
	if used + amount > holds then
		over = 1
		if amount <= holds then
			local ages, need = {}, used + amount - holds
			for _, row in pairs(rows) do
				local ago = age(row, bucket)
				ages[0] = (ages[0] or 0) + row[2]
				for j = 4, math.min(#row, 3 + SLOTS - ago) do ages[ago + j - 4] = (ages[ago + j - 4] or 0) + row[j] end
			end
			for j = SLOTS - 1, 0, -1 do
				need = need - (ages[j] or 0)
				if need <= 0 then
					wait = (bucket - j + SLOTS) * width(window) - now
					break
				end
			end
		end
		if ARGV[at + 4] ~= '1' then fits = 0 end
	end
	local n = #answer
	answer[n + 1], answer[n + 2], answer[n + 3], answer[n + 4] = used, over, wait, holds
	took[i] = { id, window, most, amount, bucket, rows[me], uses, used }
end
answer[1] = fits
if fits == 0 or not reserve then return answer end

for i = 3, #KEYS do
	local id, window, most, amount, bucket, row, uses, used = unpack(took[i], 1, 8)
	row = row and advance(row, bucket) or { epoch, 0, bucket }
	row[2] = row[2] + amount
	write(KEYS[i], window, row)
	if machines > 1 then
		uses[me] = (uses[me] or 0) + amount
		local by, most_used = me, 0
		for name, use in pairs(uses) do
			if use > most_used or use == most_used and name < by then by, most_used = name, use end
		end
		-- Beyond half of its part, all of the others' parts are that machine's. They
		-- are told long before it uses them, and it is told of more than they use: what
		-- is on its way may be lost. As long as they use it, the claim stays with it.
		if most_used * 2 * machines > most then
			local ends, said = window * 1040, redis.call('HGET', KEYS[2], id)
			local till, told, who = string.match(said or '', '^(%d+):(%d+):(.*)$')
			if who and tonumber(till) > now then by = who end
			local others, margin = used + amount - (uses[by] or 0), math.min(math.ceil(most / 8), 64)
			if who ~= by or tonumber(till) - now < ends / 2 or math.abs(tonumber(told) - margin - others) > margin / 2 then
				others = math.min(others + margin, most)
				redis.call('HSET', KEYS[2], id, string.format('%.0f:%.0f:%s', now + ends, others, by))
				redis.call('PUBLISH', KEYS[2], string.format('%s:%.0f:%.0f:%s', id, ends, others, by))
			end
		end
	end
end
return answer
