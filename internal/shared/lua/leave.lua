-- KEYS[3]: when each machine was heard of. What this one has pending is over.
redis.call('HDEL', KEYS[1], me)
redis.call('ZREM', KEYS[3], me)
return 'OK'
