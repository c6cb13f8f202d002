-- Before each script. A counter is a hash with a row for each machine:
-- { epoch, pending, number of the newest sub-bucket, its count, the count before, ... }.
-- KEYS: epochs of machines, claims, counters; ARGV: name and epoch of the machine that asks, ...
local SLOTS = 26
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local me, epoch = ARGV[1], tonumber(ARGV[2])

-- Whoever was taken for gone, or has come again since, has nothing to say any more.
if redis.call('HGET', KEYS[1], me) ~= ARGV[2] then return 'STALE' end

local function width(window) return window * 40 end

local epochs = { [me] = epoch }
local function epoch_of(name)
	if epochs[name] == nil then epochs[name] = tonumber(redis.call('HGET', KEYS[1], name)) or -1 end
	return epochs[name]
end

-- How many sub-buckets ago a row's newest one was; a clock that went back is none.
local function age(row, bucket) return math.max(bucket - row[3], 0) end

local function live(row, bucket)
	local sum = 0
	for i = 4, math.min(#row, 3 + SLOTS - age(row, bucket)) do sum = sum + row[i] end
	return sum
end

local function read(name, data)
	local row = cmsgpack.unpack(data)
	if row[2] > 0 and row[1] ~= epoch_of(name) then row[2] = 0 end -- of a process that has ended
	return row
end

-- Brings a row of mine to the present.
local function advance(row, bucket)
	local ago = age(row, bucket)
	local new = { epoch, row[2], math.max(bucket, row[3]) }
	if ago < SLOTS then
		for i = 1, ago do new[3 + i] = 0 end
		for i = 4, math.min(#row, 3 + SLOTS - ago) do new[ago + i] = row[i] end
	end
	return new
end

local function write(key, window, row)
	local holds = row[2] > 0
	for i = 4, #row do holds = holds or row[i] > 0 end
	if not holds then
		redis.call('HDEL', key, me)
		return
	end
	redis.call('HSET', key, me, cmsgpack.pack(row))
	-- What is pending ends with its process, which may have it open for long.
	local keep = row[2] > 0 and 7 * 86400000 or 0
	redis.call('PEXPIRE', key, math.max(window * 1000 + 2 * width(window), keep))
end
