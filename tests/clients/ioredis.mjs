// ioredis (RESP2): connecting, every family, pipelines, scan streams, binary values, reconnecting.
import assert from 'node:assert/strict';
import Redis from 'ioredis';
import { range, run } from './check.mjs';

const port = Number(process.env.PORT);
const options = { host: '127.0.0.1', port, maxRetriesPerRequest: 2 };
const r = new Redis(options);
const rejects = (promise, text) => assert.rejects(promise, (error) => error.message.includes(text));

const tests = [
  ['connects', async () => {
    assert.equal(await r.ping(), 'PONG');
    const other = new Redis({ ...options, db: 0, connectionName: 'named', enableReadyCheck: true });
    assert.equal(await other.client('GETNAME'), 'named');
    assert.equal(other.status, 'ready');
    assert.equal(await other.quit(), 'OK');
    await rejects(r.call('NOSUCH', 'x'), "unknown command 'NOSUCH'");
  }],
  ['strings', async () => {
    assert.equal(await r.set('k', 'v', 'EX', 1000), 'OK');
    assert.equal(await r.set('k', 'w', 'NX'), null);
    assert.equal(await r.get('k'), 'v');
    assert.equal(await r.get('nokey'), null);
    assert.deepEqual(await r.mset({ a: 1, b: 2 }), 'OK');
    assert.deepEqual(await r.mget('a', 'b', 'c'), ['1', '2', null]);
    assert.equal(await r.incrby('a', 41), 42);
    assert.equal(await r.incrbyfloat('a', 0.5), '42.5');
    assert.equal(await r.append('k', 'x'), 2);
    assert.equal(await r.getrange('k', 0, 0), 'v');
    assert.equal(await r.getdel('k'), 'vx');
    const bytes = Buffer.from(range(256));
    await r.set(Buffer.from([0, 255]), bytes);
    assert.deepEqual(await r.getBuffer(Buffer.from([0, 255])), bytes);
    await r.set('big', 'x'.repeat(2000000));
    assert.equal((await r.get('big')).length, 2000000);
    await rejects(r.incr('big'), 'not an integer');
  }],
  ['keys and times to live', async () => {
    await r.mset('x1', 1, 'x2', 2);
    assert.deepEqual((await r.keys('x*')).sort(), ['x1', 'x2']);
    assert.equal(await r.exists('x1', 'x2', 'x3'), 2);
    assert.equal(await r.type('x1'), 'string');
    assert.equal(await r.expire('x1', 1000), 1);
    assert.ok((await r.pttl('x1')) > 900000);
    assert.equal(await r.rename('x1', 'x3'), 'OK');
    assert.equal(await r.copy('x3', 'x4'), 1);
    assert.equal(await r.del('x2', 'x3', 'x4'), 3);
    assert.equal(await r.dbsize(), 0);
    await r.set('soon', 1, 'PX', 30);
    await new Promise((resolve) => setTimeout(resolve, 80));
    assert.equal(await r.get('soon'), null);
  }],
  ['lists', async () => {
    assert.equal(await r.rpush('l', 'a', 'b', 'c'), 3);
    assert.deepEqual(await r.lrange('l', 0, -1), ['a', 'b', 'c']);
    assert.deepEqual(await r.lpop('l', 2), ['a', 'b']);
    assert.equal(await r.lmove('l', 'm', 'LEFT', 'RIGHT'), 'c');
    assert.equal(await r.linsert('m', 'BEFORE', 'c', 'b'), 2);
    assert.equal(await r.lindex('m', -1), 'c');
    await rejects(r.get('m'), 'WRONGTYPE');
  }],
  ['hashes', async () => {
    assert.equal(await r.hset('h', { a: 1, b: 2 }), 2);
    assert.deepEqual(await r.hgetall('h'), { a: '1', b: '2' });
    assert.deepEqual(await r.hmget('h', 'a', 'z'), ['1', null]);
    assert.equal(await r.hincrby('h', 'a', 9), 10);
    assert.deepEqual((await r.hkeys('h')).sort(), ['a', 'b']);
    assert.equal(await r.hdel('h', 'a', 'b'), 2);
    assert.deepEqual(await r.hgetall('h'), {});
  }],
  ['sets', async () => {
    assert.equal(await r.sadd('s', 1, 2, 3), 3);
    assert.deepEqual((await r.smembers('s')).sort(), ['1', '2', '3']);
    assert.deepEqual(await r.smismember('s', 1, 9), [1, 0]);
    await r.sadd('t', 3, 4);
    assert.deepEqual(await r.sinter('s', 't'), ['3']);
    assert.equal((await r.sunion('s', 't')).length, 4);
    assert.equal((await r.spop('s', 2)).length, 2);
  }],
  ['sorted sets', async () => {
    assert.equal(await r.zadd('z', 1, 'a', 2.5, 'b', 'inf', 'c'), 3);
    assert.deepEqual(await r.zrange('z', 0, -1, 'WITHSCORES'), ['a', '1', 'b', '2.5', 'c', 'inf']);
    assert.deepEqual(await r.zrange('z', '(1', '+inf', 'BYSCORE', 'LIMIT', 0, 1), ['b']);
    assert.equal(await r.zscore('z', 'b'), '2.5');
    assert.equal(await r.zrank('z', 'c'), 2);
    assert.equal(await r.zincrby('z', 1, 'a'), '2');
    assert.deepEqual(await r.zpopmin('z'), ['a', '2']);
  }],
  ['pipelines', async () => {
    const pipe = r.pipeline();
    for (const i of range(3000)) pipe.set(`p${i}`, i).get(`p${i}`);
    const replies = await pipe.exec();
    assert.equal(replies.length, 6000);
    assert.ok(replies.every(([error]) => error === null));
    assert.equal(replies[5999][1], '2999');
    const mixed = await r.pipeline().incr('n').lpush('n', 1).incr('n').exec();
    assert.match(mixed[1][0].message, /WRONGTYPE/);
    assert.equal(mixed[2][1], 2);
  }],
  ['automatic pipelining', async () => {
    const auto = new Redis({ ...options, enableAutoPipelining: true });
    await Promise.all(range(500).map((i) => auto.set(`a${i}`, i)));
    const replies = await Promise.all(range(500).map((i) => auto.get(`a${i}`)));
    assert.deepEqual(replies, range(500).map(String));
    auto.disconnect();
  }],
  ['scan streams', async () => {
    await r.mset(...range(1000).flatMap((i) => [`scan:${i}`, i]), 'other', 1);
    const found = new Set();
    for await (const keys of r.scanStream({ match: 'scan:*', count: 50 })) {
      keys.forEach((k) => found.add(k));
    }
    assert.equal(found.size, 1000);
    await r.hset('h', Object.fromEntries(range(500).map((i) => [`f${i}`, i])));
    let count = 0;
    for await (const items of r.hscanStream('h')) count += items.length / 2;
    assert.ok(count >= 500);
    await r.zadd('z', ...range(300).flatMap((i) => [i, `m${i}`]));
    await r.sadd('s', ...range(300));
    const members = new Set();
    for await (const items of r.sscanStream('s')) items.forEach((m) => members.add(m));
    assert.equal(members.size, 300);
    const scores = new Set();
    for await (const items of r.zscanStream('z')) items.forEach((m) => scores.add(m));
    assert.ok(scores.has('m299'));
  }],
  ['reconnects when it is killed', async () => {
    const other = new Redis({ ...options, retryStrategy: () => 20 });
    const id = await other.client('ID');
    assert.equal(await r.client('KILL', 'ID', id), 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await other.ping(), 'PONG');
    other.disconnect();
  }],
  ['thirty connections at once', async () => {
    const all = range(30).map(() => new Redis(options));
    await Promise.all(all.map((c) => Promise.all(range(50).map(() => c.incr('total')))));
    assert.equal(await r.get('total'), '1500');
    all.forEach((c) => c.disconnect());
  }],
  ['a pipeline that is written before it is read', async () => {
    const value = 'v'.repeat(1000);
    await r.set('k', value);
    const pipeline = r.pipeline();
    for (let i = 0; i < 200000; i += 1) pipeline.get('k');
    const replies = (await pipeline.exec()).map(([error, reply]) => error ?? reply);
    assert.equal(replies.length, 200000);
    assert.ok(replies.every((reply) => reply === value));
    const large = 'a'.repeat(4 << 20);
    const larger = 'b'.repeat(4 << 20);
    await Promise.all([r.set('a', large), r.set('b', larger)]);
    assert.deepEqual(await Promise.all([r.get('a'), r.get('b'), r.set('a', larger), r.set('b', large)]),
      [large, larger, 'OK', 'OK']);
    assert.equal(await r.get('b'), large);
  }],
  ['server commands', async () => {
    assert.match(await r.info(), /^redis_version:/m);
    assert.match(await r.info('clients'), /^connected_clients:\d+/m);
    assert.equal((await r.config('GET', 'maxmemory'))[0], 'maxmemory');
    assert.ok((await r.command('COUNT')) > 80);
    assert.equal((await r.command('INFO', 'get'))[0][0], 'get');
    assert.equal((await r.time()).length, 2);
    assert.equal(await r.flushall(), 'OK');
  }],
];

r.on('error', (error) => console.log(`     ${error.message}`));
await run(tests, () => r.flushall());
