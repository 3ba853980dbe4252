'use strict';
// ioredis and node-redis as their users write them: nothing is configured but host and port. The
// port is the first argument. One line per case; the last says how many passed and failed.

const assert = require('node:assert/strict');
const Redis = require('ioredis');
const { createClient } = require('redis');

const port = Number(process.argv[2]);
let passed = 0;
let failed = 0;

async function check(what, body) {
    try {
        await body();
        passed++;
        console.log(`ok - ${what}`);
    } catch (error) {
        failed++;
        console.log(`not ok - ${what}`);
        console.log(`    ${String(error.stack || error).split('\n').slice(0, 12).join('\n    ')}`);
    }
}

async function withIoredis() {
    const client = new Redis({ host: '127.0.0.1', port });
    const troubles = [];
    client.on('error', (error) => troubles.push(error));
    await check('ioredis connects and is ready', async () => {
        await new Promise((resolve, reject) => {
            client.once('ready', resolve);
            client.once('error', reject);
        });
    });
    await check('ioredis sets and gets', async () => {
        assert.equal(await client.set('io:a', 'one'), 'OK');
        assert.equal(await client.get('io:a'), 'one');
        assert.equal(await client.get('io:none'), null);
        const bytes = Buffer.from([0, 255, 13, 10, 0]);
        await client.set('io:bytes', bytes);
        assert.deepEqual(await client.getBuffer('io:bytes'), bytes);
    });
    await check('ioredis expires', async () => {
        assert.equal(await client.set('io:short', 'x', 'EX', 100), 'OK');
        const ttl = await client.ttl('io:short');
        assert.ok(ttl > 90 && ttl <= 100, `ttl ${ttl}`);
        assert.equal(await client.expire('io:a', 200), 1);
        assert.equal(await client.persist('io:a'), 1);
        assert.equal(await client.ttl('io:a'), -1);
    });
    await check('ioredis gets and sets many, pipelined too', async () => {
        assert.equal(await client.mset({ 'io:1': 'a', 'io:2': 'b' }), 'OK');
        assert.deepEqual(await client.mget('io:1', 'io:none', 'io:2'), ['a', null, 'b']);
        const pipeline = client.pipeline();
        for (let i = 0; i < 500; i++) pipeline.set(`io:p${i}`, String(i));
        const answers = await pipeline.exec();
        assert.ok(answers.every(([error, answer]) => error === null && answer === 'OK'));
    });
    await check('ioredis scans', async () => {
        const found = new Set();
        for await (const keys of client.scanStream({ match: 'io:p*', count: 50 }))
            keys.forEach((key) => found.add(key));
        assert.equal(found.size, 500);
    });
    await check('ioredis deletes', async () => {
        assert.equal(await client.del('io:1', 'io:2', 'io:none'), 2);
        assert.equal(await client.exists('io:1'), 0);
    });
    await check('ioredis speaks the context commands', async () => {
        const [context, values] = await client.call('GR.GET', 'io:a');
        assert.deepEqual(values, ['one']);
        assert.ok(await client.call('GR.PUT', 'io:a', context, 'two'));
        assert.equal(await client.get('io:a'), 'two');
    });
    await check('ioredis saw no connection error', async () => assert.deepEqual(troubles, []));
    await client.quit();
}

async function withNodeRedis(protocol) {
    const name = `redis with RESP${protocol}`;
    const key = (rest) => `nr${protocol}:${rest}`;
    const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP: protocol });
    const troubles = [];
    client.on('error', (error) => troubles.push(error));
    await check(`${name} connects`, async () => {
        await client.connect();
        assert.equal(await client.ping(), 'PONG');
    });
    await check(`${name} sets and gets`, async () => {
        assert.equal(await client.set(key('a'), 'one'), 'OK');
        assert.equal(await client.get(key('a')), 'one');
        assert.equal(await client.get(key('none')), null);
    });
    await check(`${name} expires`, async () => {
        assert.equal(await client.set(key('short'), 'x', { EX: 100 }), 'OK');
        const ttl = await client.ttl(key('short'));
        assert.ok(ttl > 90 && ttl <= 100, `ttl ${ttl}`);
        assert.equal(await client.expire(key('a'), 200), 1);
        assert.equal(await client.persist(key('a')), 1);
        assert.equal(await client.ttl(key('a')), -1);
    });
    await check(`${name} gets and sets many, all at once too`, async () => {
        assert.equal(await client.mSet({ [key('1')]: 'a', [key('2')]: 'b' }), 'OK');
        const got = await client.mGet([key('1'), key('none'), key('2')]);
        assert.deepEqual(got, ['a', null, 'b']);
        const sets = [];
        for (let i = 0; i < 500; i++) sets.push(client.set(key(`p${i}`), String(i)));
        assert.ok((await Promise.all(sets)).every((answer) => answer === 'OK'));
    });
    await check(`${name} scans`, async () => {
        const found = new Set();
        for await (const keys of client.scanIterator({ MATCH: key('p*'), COUNT: 50 }))
            keys.forEach((one) => found.add(one));
        assert.equal(found.size, 500);
    });
    await check(`${name} deletes`, async () => {
        assert.equal(await client.del([key('1'), key('2'), key('none')]), 2);
        assert.equal(await client.exists(key('1')), 0);
    });
    await check(`${name} speaks the context commands`, async () => {
        const [context, values] = await client.sendCommand(['GR.GET', key('a')]);
        assert.deepEqual(values, ['one']);
        assert.ok(await client.sendCommand(['GR.PUT', key('a'), context, 'two']));
        assert.equal(await client.get(key('a')), 'two');
    });
    await check(`${name} saw no connection error`, async () => assert.deepEqual(troubles, []));
    await client.close();
}

async function main() {
    await withIoredis();
    await withNodeRedis(2);
    await withNodeRedis(3);
}

// A client that keeps trying to connect must not keep the suite.
setTimeout(() => {
    console.log('not ok - all is done within 60 s');
    console.log(`${passed} passed, ${failed + 1} failed`);
    process.exit(1);
}, 60000).unref();

main()
    .catch((error) => {
        failed++;
        console.log(`not ok - ${error.stack}`);
    })
    .finally(() => {
        console.log(`${passed} passed, ${failed} failed`);
        process.exit(failed > 0 ? 1 : 0);
    });
