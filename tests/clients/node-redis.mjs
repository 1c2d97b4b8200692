// node-redis, in RESP2 and in RESP3: connecting, every family with its reply types, pipelines, scan
// iterators, binary values, reconnecting.
import assert from 'node:assert/strict';
import { createClient, RESP_TYPES } from 'redis';
import { range, run } from './check.mjs';

const port = Number(process.env.PORT);

async function connect(RESP, more = {}) {
  const client = createClient({ RESP, socket: { host: '127.0.0.1', port }, ...more });
  client.on('error', () => {});
  await client.connect();
  return client;
}

const rejects = (promise, text) => assert.rejects(promise, (error) => error.message.includes(text));

const tests = (RESP, r) => [
  ['connects', async () => {
    assert.equal(await r.ping(), 'PONG');
    assert.equal(await r.echo('hello'), 'hello');
    const other = await connect(RESP, { name: 'named', database: 0 });
    assert.equal(await other.clientGetName(), 'named');
    assert.ok((await other.clientId()) > 0);
    await other.close();
    const info = await r.hello(RESP);
    assert.equal(info.proto, RESP);
    await rejects(r.sendCommand(['NOSUCH', 'x']), "unknown command 'NOSUCH'");
  }],
  ['strings', async () => {
    assert.equal(await r.set('k', 'v', { EX: 1000 }), 'OK');
    assert.equal(await r.set('k', 'w', { NX: true }), null);
    assert.equal(await r.set('k', 'w', { KEEPTTL: true, GET: true }), 'v');
    assert.ok((await r.ttl('k')) > 900);
    assert.equal(await r.get('nokey'), null);
    assert.equal(await r.mSet({ a: '1', b: '2' }), 'OK');
    assert.deepEqual(await r.mGet(['a', 'b', 'c']), ['1', '2', null]);
    assert.equal(await r.incrBy('a', 41), 42);
    assert.equal(await r.incrByFloat('a', 0.5), '42.5');
    assert.equal(await r.append('k', 'x'), 2);
    assert.equal(await r.setRange('k', 1, 'yy'), 3);
    assert.equal(await r.getEx('k', { type: 'PERSIST' }), 'wyy');
    assert.equal(await r.getDel('k'), 'wyy');
    const bytes = Buffer.from(range(256));
    await r.set('bytes', bytes);
    const raw = r.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    assert.deepEqual(await raw.get('bytes'), bytes);
    await r.set('big', 'x'.repeat(2000000));
    assert.equal((await r.get('big')).length, 2000000);
    await rejects(r.incr('big'), 'not an integer');
  }],
  ['keys and times to live', async () => {
    await r.mSet([['x1', '1'], ['x2', '2']]);
    assert.deepEqual((await r.keys('x*')).sort(), ['x1', 'x2']);
    assert.equal(await r.exists(['x1', 'x2', 'x3']), 2);
    assert.equal(await r.type('x1'), 'string');
    assert.equal(Number(await r.expire('x1', 1000, 'NX')), 1);
    assert.ok((await r.pTTL('x1')) > 900000);
    assert.equal(await r.rename('x1', 'x3'), 'OK');
    assert.equal(Number(await r.copy('x3', 'x4')), 1);
    assert.equal(await r.del(['x2', 'x3', 'x4']), 3);
    assert.equal(await r.dbSize(), 0);
  }],
  ['lists', async () => {
    assert.equal(await r.rPush('l', ['a', 'b', 'c']), 3);
    assert.deepEqual(await r.lRange('l', 0, -1), ['a', 'b', 'c']);
    assert.deepEqual(await r.lPopCount('l', 2), ['a', 'b']);
    assert.equal(await r.lMove('l', 'm', 'LEFT', 'RIGHT'), 'c');
    assert.equal(await r.lInsert('m', 'BEFORE', 'c', 'b'), 2);
    assert.equal(await r.lIndex('m', -1), 'c');
    assert.equal(await r.lPopCount('nokey', 2), null);
    await rejects(r.get('m'), 'WRONGTYPE');
  }],
  ['hashes', async () => {
    assert.equal(await r.hSet('h', { a: '1', b: '2' }), 2);
    assert.deepEqual({ ...(await r.hGetAll('h')) }, { a: '1', b: '2' });
    const maps = r.withTypeMapping({ [RESP_TYPES.MAP]: Map });
    assert.equal((await maps.hGetAll('h')).get('b'), '2');
    assert.deepEqual(await r.hmGet('h', ['a', 'z']), ['1', null]);
    assert.equal(await r.hIncrBy('h', 'a', 9), 10);
    assert.equal(await r.hIncrByFloat('h', 'a', 0.5), '10.5');
    assert.deepEqual((await r.hKeys('h')).sort(), ['a', 'b']);
    assert.equal(Number(await r.hExists('h', 'a')), 1);
    assert.equal(await r.hDel('h', ['a', 'b']), 2);
    assert.deepEqual({ ...(await r.hGetAll('h')) }, {});
  }],
  ['sets', async () => {
    assert.equal(await r.sAdd('s', ['1', '2', '3']), 3);
    assert.deepEqual([...(await r.sMembers('s'))].sort(), ['1', '2', '3']);
    assert.deepEqual((await r.smIsMember('s', ['1', '9'])).map(Number), [1, 0]);
    await r.sAdd('t', ['3', '4']);
    assert.deepEqual([...(await r.sInter(['s', 't']))], ['3']);
    assert.equal([...(await r.sUnion(['s', 't']))].length, 4);
    assert.equal([...(await r.sPopCount('s', 2))].length, 2);
    assert.equal([...(await r.sRandMemberCount('t', -5))].length, 5);
  }],
  ['sorted sets', async () => {
    assert.equal(await r.zAdd('z', [{ score: 1, value: 'a' }, { score: 2.5, value: 'b' }]), 2);
    assert.equal(await r.zAdd('z', { score: Infinity, value: 'c' }), 1);
    assert.deepEqual(await r.zRangeWithScores('z', 0, -1), [
      { value: 'a', score: 1 }, { value: 'b', score: 2.5 }, { value: 'c', score: Infinity }]);
    const limited = { BY: 'SCORE', LIMIT: { offset: 0, count: 1 } };
    assert.deepEqual(await r.zRange('z', '(1', '+inf', limited), ['b']);
    assert.equal(await r.zScore('z', 'b'), 2.5);
    assert.equal(await r.zScore('z', 'nobody'), null);
    assert.deepEqual(await r.zmScore('z', ['a', 'nobody']), [1, null]);
    assert.equal(await r.zRank('z', 'c'), 2);
    assert.equal(await r.zIncrBy('z', 1.5, 'a'), 2.5);
    assert.deepEqual(await r.zPopMin('z'), { value: 'a', score: 2.5 });
    assert.deepEqual(await r.zPopMaxCount('z', 5), [
      { value: 'c', score: Infinity }, { value: 'b', score: 2.5 }]);
    assert.equal(await r.zPopMin('z'), null);
  }],
  ['pipelines', async () => {
    const replies = await Promise.all(
      range(3000).flatMap((i) => [r.set(`p${i}`, `${i}`), r.get(`p${i}`)]));
    assert.equal(replies[5999], '2999');
    const multi = r.multi();
    for (const i of range(100)) multi.incr('n').get('n');
    assert.equal((await multi.execAsPipeline())[199], '100');
  }],
  ['scan iterators', async () => {
    await r.mSet(range(1000).map((i) => [`scan:${i}`, `${i}`]));
    const found = new Set();
    for await (const keys of r.scanIterator({ MATCH: 'scan:*', COUNT: 50 })) {
      keys.forEach((k) => found.add(k));
    }
    assert.equal(found.size, 1000);
    await r.hSet('h', Object.fromEntries(range(500).map((i) => [`f${i}`, `${i}`])));
    const fields = new Set();
    for await (const entries of r.hScanIterator('h')) {
      entries.forEach(({ field }) => fields.add(field));
    }
    assert.equal(fields.size, 500);
    await r.zAdd('z', range(300).map((i) => ({ score: i, value: `m${i}` })));
    const scores = new Map();
    for await (const entries of r.zScanIterator('z')) {
      entries.forEach((e) => scores.set(e.value, e.score));
    }
    assert.equal(scores.get('m299'), 299);
    await r.sAdd('s', range(300).map(String));
    const members = new Set();
    for await (const items of r.sScanIterator('s')) items.forEach((m) => members.add(m));
    assert.equal(members.size, 300);
  }],
  ['reconnects when it is killed', async () => {
    const socket = { host: '127.0.0.1', port, reconnectStrategy: () => 20 };
    const other = await connect(RESP, { socket });
    assert.equal(await r.sendCommand(['CLIENT', 'KILL', 'ID', String(await other.clientId())]), 1);
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(await other.ping(), 'PONG');
    await other.close();
  }],
  ['twenty connections at once', async () => {
    const all = await Promise.all(range(20).map(() => connect(RESP)));
    await Promise.all(all.map((c) => Promise.all(range(50).map(() => c.incr('total')))));
    assert.equal(await r.get('total'), '1000');
    await Promise.all(all.map((c) => c.close()));
  }],
  ['a pipeline that is written before it is read', async () => {
    const value = 'v'.repeat(1000);
    await r.set('k', value);
    const multi = r.multi();
    for (let i = 0; i < 200000; i += 1) multi.get('k');
    const replies = await multi.execAsPipeline();
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
    assert.ok('maxmemory' in (await r.configGet('maxmemory')));
    assert.ok((await r.commandCount()) > 80);
    assert.equal((await r.commandInfo(['get']))[0].name, 'get');
    assert.equal((await r.clientInfo()).id, await r.clientId());
    assert.ok((await r.clientList()).length >= 1);
    await r.set('k', 'v');
    assert.ok((await r.memoryUsage('k')) > 0);
    assert.equal(await r.objectEncoding('nokey'), null);
    assert.equal(await r.flushAll(), 'OK');
  }],
];

const two = await connect(2);
const three = await connect(3);
const named = (prefix, rows) => rows.map(([name, body]) => [`${prefix}: ${name}`, body]);
const all = [...named('RESP2', tests(2, two)), ...named('RESP3', tests(3, three))];
await run(all, () => two.flushAll());
