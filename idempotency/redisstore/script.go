package redisstore

// The fields of a record's hash, in the order of replies. Its in_progress_expiration is in milliseconds since 1970, and
// its expiration in seconds, with decimals.
const fields = `'status', 'owner', 'attempt', 'validation', 'in_progress_expiration', 'expiration', 'encoding', 'failed', 'data'`

// The places in a reply.
const (
	theTime = iota // of the server, in milliseconds
	exists         // 1 if there is a record, else 0
	status
	owner
	attempt
	validation
	lease
	expires
	encoding
	failed
	data
	replyLen
)

// Every script begins with what it is about. A record in progress is kept for an hour longer than it says, which is more
// than any skew: its expiration does not end it.
const prelude = `
local key, me = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local status, owner, attempt, lease, expires = unpack(redis.call('HMGET', key,
	'status', 'owner', 'attempt', 'in_progress_expiration', 'expiration'))
local exists = status or redis.call('EXISTS', key) == 1
local mine, running = owner == me, status == 'INPROGRESS'

local garbage = false
local function number(text)
	local n = text and tonumber(text)
	if text and not (n and math.abs(n) < 1e15) then garbage = true end
	return n
end
attempt, lease, expires = number(attempt) or 0, number(lease), number(expires)
expires = expires and math.floor(expires * 1000 + 0.5)

local function run_until(l, e)
	lease, expires = l, math.max(l, e or l)
	redis.call('HSET', key, 'in_progress_expiration', string.format('%.0f', lease),
		'expiration', string.format('%.3f', expires / 1000))
	redis.call('PEXPIREAT', key, string.format('%.0f', expires + 3600000))
end

local function reply()
	local r = redis.call('HMGET', key, ` + fields + `)
	table.insert(r, 1, exists and 1 or 0)
	table.insert(r, 1, now)
	return r
end
`

const claimScript = prelude + `
local validation, until_lease, until_expires, skew = ARGV[2], now + ARGV[3], now + ARGV[4], ARGV[5]
local dead_owner, dead_attempt = ARGV[6], tonumber(ARGV[7]) -- no attempt if nobody may be followed
local dead = running and attempt == dead_attempt and (owner or '') == dead_owner
	and (lease or expires or now) < now - skew
local free = not exists or not garbage
	and (dead or status == 'COMPLETED' and expires and expires < now)
if mine then
	if running and not garbage and until_lease > (lease or 0) then run_until(until_lease, expires) end
elseif free then
	exists = true
	redis.call('DEL', key)
	redis.call('HSET', key, 'status', 'INPROGRESS', 'owner', me, 'validation', validation,
		'attempt', string.format('%.0f', attempt + 1))
	run_until(until_lease, until_expires)
end
return reply()
`

const completeScript = prelude + `
if mine and running then
	expires = now + ARGV[3]
	redis.call('HDEL', key, 'in_progress_expiration')
	redis.call('HSET', key, 'status', 'COMPLETED', 'validation', ARGV[2],
		'expiration', string.format('%.3f', expires / 1000), 'encoding', ARGV[4], 'failed', ARGV[5], 'data', ARGV[6])
	redis.call('PEXPIREAT', key, string.format('%.0f', expires + 1)) -- at expires itself it is still there
end
return mine and 1 or 0
`

const releaseScript = prelude + `
if mine and running then redis.call('DEL', key) end
return 1
`

const extendScript = prelude + `
if not (mine and running) then return 0 end
run_until(now + ARGV[2], expires)
return 1
`

const loadScript = prelude + `
return reply()
`
