"""What Redis does of the limits: in one step each, by its own clock, which all gateways share.

A bucket, "requests" or "tokens", is a hash of its `level` and the moment `at` which it had that; one that is not
there is full. "runs" is a sorted set of request ids, each by the moment at which its lease ends.
"""

from __future__ import annotations

_CLOCK = """
    local time = redis.call('TIME')
    local now = time[1] + time[2] / 1000000

    local function filled(key, most)
        local kept = redis.call('HMGET', key, 'level', 'at')
        if not kept[1] then return most end
        return math.min(most, kept[1] + math.max(0, now - kept[2]) * most / 60)
    end

    local function keep(key, most, level)
        redis.call('HSET', key, 'level', string.format('%.17g', level), 'at', string.format('%.17g', now))
        redis.call('PEXPIRE', key, math.min(math.ceil((most - level) * 60000 / most) + 1000, 1e11))
    end
"""

# One run against all of its meters. KEYS: a key a meter. ARGV: the run, the length of a lease, and for each meter its
# kind, its limit and what the run takes. The answer: the place of the meter that refuses or 0, in how many seconds
# there is room, and for each meter what is left and in how many seconds it is full again. A bucket lends one request
# of any size when full.
TAKE = f"""{_CLOCK}
    local run, lease = ARGV[1], tonumber(ARGV[2])
    local had, takes, refused, wait = {{}}, {{}}, 0, 0
    for i, key in ipairs(KEYS) do
        local kind, most, amount = ARGV[3 * i], tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
        if kind == 'runs' then
            redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
            had[i] = most - redis.call('ZCARD', key)
        else
            had[i] = filled(key, most)
        end
        takes[i] = amount
        local needs = math.min(amount, most)
        if had[i] < needs and refused == 0 then
            refused, wait = i, kind == 'runs' and 1 or (needs - had[i]) * 60 / most
        end
    end
    local told = {{tostring(refused), string.format('%.6f', wait)}}
    for i, key in ipairs(KEYS) do
        local kind, most = ARGV[3 * i], tonumber(ARGV[3 * i + 1])
        local left = had[i] - (refused == 0 and takes[i] or 0)
        if refused == 0 and kind == 'runs' then
            redis.call('ZADD', key, now + lease, run)
            redis.call('EXPIRE', key, lease)
        elseif refused == 0 then
            keep(key, most, left)
        end
        table.insert(told, string.format('%.0f', math.max(0, math.floor(left))))
        table.insert(told, kind == 'runs' and '' or string.format('%.6f', (most - left) * 60 / most))
    end
    return told
"""

# A run that ended. KEYS as above. ARGV: the run, and for each meter its kind, its limit and what goes back into it.
GIVE_BACK = f"""{_CLOCK}
    for i, key in ipairs(KEYS) do
        local kind, most, back = ARGV[3 * i - 1], tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
        if kind == 'runs' then
            redis.call('ZREM', key, ARGV[1])
        elseif back ~= 0 then
            keep(key, most, math.min(most, filled(key, most) + back))
        end
    end
"""

# Runs that go on. KEYS: the "runs" of one subject. ARGV: the length of a lease, and the runs. Those that Redis forgot,
# when it began anew, are back.
RENEW = f"""{_CLOCK}
    for i = 2, #ARGV do
        redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i])
    end
    redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
