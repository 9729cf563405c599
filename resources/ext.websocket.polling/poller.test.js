import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Poller } from './poller.js';

const SEPARATOR = String.fromCharCode( 31 );

/**
 * A page with a poller whose wiki answers what the test says.
 *
 * @return {Object}
 */
function open() {
	const p = { heard: [], asked: [], sent: [], answers: [], keys: 0 };
	mock.timers.enable( { apis: [ 'setTimeout' ] } );
	const reply = ( list, params ) => new Promise( ( resolve, reject ) => {
		list.push( Object.assign( { resolve, reject }, params ) );
	} );
	p.poller = new Poller( {
		receive: ( message ) => p.heard.push( message ),
		poll: ( params ) => reply( p.asked, params ),
		send: ( params ) => reply( p.sent, params ),
		key: () => 'k' + ++p.keys,
		interval: 10,
		wiki: 'mydb:'
	} );
	p.post = ( op, members ) => p.poller.post( Object.assign( { op, client: 'WS1' }, members ) );
	p.settle = () => new Promise( ( resolve ) => {
		setImmediate( resolve );
	} );
	p.pass = async ( ms ) => {
		mock.timers.tick( ms );
		await p.settle();
	};
	// The wiki answers the next question.
	p.answer = async ( members ) => {
		p.asked.shift().resolve( Object.assign( {
			messages: [], missed: [], refused: [], offset: 5, time: 1000, newest: 5, next: 10, user: 'Ann'
		}, members ) );
		await p.settle();
	};
	p.took = () => p.heard.splice( 0 ).filter( ( { op } ) => op !== 'position' );
	p.up = async ( ...types ) => {
		p.poller.start();
		p.post( 'hello' );
		types.forEach( ( type ) => p.post( 'subscribe', { type } ) );
		await p.pass( 20 );
		await p.answer();
		p.took();
	};
	return p;
}

const frame = ( type, msg ) => JSON.stringify( { type, msg } );

test.afterEach( () => mock.timers.reset() );

test( 'from hello to the first message', async () => {
	const p = open();
	p.poller.start();
	assert.deepEqual( p.took(), [ { op: 'welcome' } ] );
	p.post( 'hello' );
	p.post( 'subscribe', { type: 'A' } );
	p.post( 'subscribe', { type: 'B|C', since: { time: 900.5 } } );
	await p.pass( 20 );
	assert.deepEqual( [ p.asked[ 0 ].types, p.asked[ 0 ].since, p.asked[ 0 ].client ], [ SEPARATOR + 'A' + SEPARATOR + 'B|C', '-|:900', 'WS1' ] );
	await p.answer( { offset: 7, newest: 9, messages: [
		{ offset: 6, data: frame( 'B|C', 'old' ) }, { offset: 8, data: frame( 'A', 'from before' ) }, { offset: 9, data: frame( 'B|C', 'new' ) }
	] } );
	assert.deepEqual( p.heard.filter( ( { op } ) => op === 'position' ), [
		{ op: 'position', type: 'A', epoch: 'api:1000', offset: 7 }, { op: 'position', type: 'B|C', epoch: 'api:1000', offset: 9 }
	] );
	assert.deepEqual( p.took(), [
		{ op: 'transport', name: 'api' },
		{ op: 'connected', wiki: 'mydb:', user: 'Ann' },
		{ op: 'message', data: { type: 'B|C', msg: 'old', offset: 6 } },
		{ op: 'message', data: { type: 'B|C', msg: 'new', offset: 9 } }
	] );
	await p.pass( 12000 );
	assert.equal( p.asked[ 0 ].since, '7:1000|7:1000' );
	// 8 was from before; 9 has been had; what was late is new.
	await p.answer( { offset: 10, newest: 11, messages: [ 8, 9, 10, 11 ].map( ( offset ) => ( { offset, data: frame( 'A', offset ) } ) ) } );
	assert.deepEqual( p.took().map( ( { data } ) => data.msg ), [ 10, 11 ] );
	await p.pass( 12000 );
	await p.answer( { offset: 12, newest: 12, messages: [ 11, 12 ].map( ( offset ) => ( { offset, data: frame( 'A', offset ) } ) ) } );
	assert.deepEqual( p.took().map( ( { data } ) => data.msg ), [ 12 ] );
	p.post( 'bye' );
} );

test( 'a page that wants nothing is connected and asks for nothing', async () => {
	const p = open();
	p.poller.start();
	p.post( 'hello' );
	await p.pass( 20 );
	assert.deepEqual( [ p.took().pop().op, p.asked.length ], [ 'connected', 0 ] );
	p.post( 'subscribe', { type: 'A' } );
	await p.pass( 20 );
	assert.equal( p.asked.length, 1 );
	p.post( 'bye' );
} );

test( 'a gap is told', async () => {
	const p = open();
	await p.up( 'A', 'B' );
	await p.pass( 12000 );
	await p.answer( { missed: [ 'A' ], offset: 90, newest: 95, messages: [ { offset: 94, data: frame( 'A', 0 ) }, { offset: 96, data: frame( 'A', 1 ) } ] } );
	const heard = p.took();
	assert.deepEqual( heard[ 0 ], { op: 'missed', type: 'A' } );
	assert.deepEqual( heard.slice( 1 ).map( ( { data } ) => data.msg ), [ 1 ] );
	// A position from a relay that there was before tells nothing.
	p.post( 'subscribe', { type: 'C', since: { epoch: 'abc', offset: 7 } } );
	p.post( 'subscribe', { type: 'D', since: { epoch: 'api:990', offset: 7 } } );
	assert.deepEqual( p.took(), [ { op: 'missed', type: 'C' } ] );
	await p.pass( 20 );
	assert.equal( p.asked[ 0 ].since, '90:1000|90:1000|-|7:990' );
	p.post( 'bye' );
} );

test( 'a page that hears of the connection knows what it has missed', async () => {
	const p = open();
	p.poller.start();
	p.post( 'hello' );
	p.post( 'subscribe', { type: 'A', since: { time: 900 } } );
	await p.pass( 20 );
	await p.answer( { missed: [ 'A' ], messages: [ { offset: 6, data: frame( 'A', 1 ) } ] } );
	assert.deepEqual( p.took().map( ( { op } ) => op ), [ 'welcome', 'transport', 'missed', 'connected', 'message' ] );
	p.post( 'bye' );
} );

test( 'a wiki that counts anew', async () => {
	const p = open();
	await p.up( 'A' );
	await p.pass( 12000 );
	await p.answer( { offset: 90, newest: 92, messages: [ { offset: 92, data: frame( 'A', 'old' ) } ] } );
	p.took();
	await p.pass( 12000 );
	await p.answer( { missed: [ 'A' ], offset: 0, newest: 91 } );
	await p.pass( 12000 );
	await p.answer( { offset: 1, newest: 92, messages: [ { offset: 92, data: frame( 'A', 'new' ) } ] } );
	assert.deepEqual( p.took().map( ( { op, data } ) => data ? data.msg : op ), [ 'missed', 'new' ] );
	p.post( 'bye' );
} );

test( 'a message is sent again for as long as the wiki may be about to send it', async () => {
	const p = open();
	await p.up( 'A' );
	await p.pass( 12000 );
	await p.answer( { next: 2 } );
	p.post( 'send', { type: 'A', to: [], json: '1' } );
	await p.settle();
	let waited = 0;
	for ( let tries = 1; tries < 4; tries++ ) {
		p.sent.shift().reject( { code: 'http', message: 'gone' } );
		await p.settle();
		for ( ; !p.sent.length; waited += 1 ) {
			await p.pass( 1000 );
		}
	}
	assert.ok( waited >= 30, waited );
	p.post( 'bye' );
} );

test( 'what is refused is told once and not asked for again', async () => {
	const p = open();
	await p.up( 'A', 'B' );
	await p.pass( 12000 );
	await p.answer( { refused: [ { type: 'A', code: 'forbidden', message: 'no' } ] } );
	assert.deepEqual( p.took(), [ { op: 'error', about: 'subscribe', type: 'A', code: 'forbidden', message: 'no' } ] );
	await p.pass( 12000 );
	assert.equal( p.asked[ 0 ].types, SEPARATOR + 'B' );
	p.post( 'bye' );
} );

test( 'many types are several questions', async () => {
	const p = open();
	p.poller.start();
	p.post( 'hello' );
	for ( let i = 0; i < 51; i++ ) {
		p.post( 'subscribe', { type: 'T' + i } );
	}
	p.post( 'subscribe', { type: 'ä'.repeat( 127 ) } );
	await p.pass( 20 );
	assert.equal( p.asked[ 0 ].since.split( '|' ).length, 50 );
	await p.answer();
	assert.equal( p.asked[ 0 ].since.split( '|' ).length, 2 );
	await p.answer();
	assert.equal( p.asked.length, 0 );
	for ( let i = 0; i < 6; i++ ) {
		p.post( 'subscribe', { type: i + 'ä'.repeat( 126 ) } );
	}
	await p.pass( 20 );
	for ( let left = 4; left; left-- ) {
		assert.ok( encodeURIComponent( p.asked[ 0 ].types ).length < 3100 );
		await p.answer();
		left = p.asked.length ? left : 1;
	}
	assert.equal( p.asked.length, 0 );
	p.post( 'bye' );
} );

test( 'a wiki that does not answer is asked less and less', async () => {
	const p = open();
	await p.up( 'A' );
	for ( const [ i, wait ] of [ 10, 10, 20, 40, 80, 160, 300, 300 ].entries() ) {
		await p.pass( wait * 1000 - 1 );
		assert.equal( p.asked.length, 0, 'not before ' + wait );
		await p.pass( wait * 200 + 1 );
		p.asked.shift().reject( { code: 'http', message: 'gone' } );
		await p.settle();
		assert.deepEqual( p.took(), i ? [] : [ { op: 'disconnected', code: 1006, reason: 'gone', retry: true } ] );
	}
	await p.pass( 360000 );
	await p.answer();
	assert.deepEqual( p.took(), [ { op: 'connected', wiki: 'mydb:', user: 'Ann' } ] );
	await p.pass( 12000 );
	assert.equal( p.asked.length, 1 );
	p.post( 'bye' );
} );

test( 'a wiki that says no is left alone until the page wants something else', async () => {
	const p = open();
	await p.up( 'A' );
	await p.pass( 12000 );
	p.asked.shift().reject( { code: 'readapidenied', message: 'no' } );
	await p.settle();
	assert.deepEqual( p.took(), [ { op: 'disconnected', code: 1006, reason: 'no', retry: false } ] );
	await p.pass( 1000000 );
	assert.equal( p.asked.length, 0 );
	p.post( 'subscribe', { type: 'B' } );
	await p.pass( 20 );
	assert.equal( p.asked.length, 1 );
	p.post( 'bye' );
} );

test( 'a hidden page asks seldom, and at once when it is looked at', async () => {
	const p = open();
	await p.up( 'A' );
	p.post( 'visible', { visible: false } );
	await p.pass( 12000 );
	await p.answer();
	await p.pass( 59000 );
	assert.equal( p.asked.length, 0 );
	p.post( 'visible', { visible: true } );
	await p.pass( 20 );
	assert.equal( p.asked.length, 1 );
	p.post( 'bye' );
} );

test( 'what more there is, is asked for at once', async () => {
	const p = open();
	await p.up( 'A' );
	await p.pass( 12000 );
	await p.answer( { next: 0 } );
	await p.pass( 1 );
	assert.equal( p.asked.length, 1 );
	p.post( 'bye' );
} );

test( 'a page that is put away hears nothing more, and begins anew', async () => {
	const p = open();
	await p.up( 'A' );
	await p.pass( 12000 );
	p.post( 'bye' );
	await p.answer( { messages: [ { offset: 6, data: frame( 'A', 1 ) } ] } );
	assert.deepEqual( p.took(), [] );
	p.post( 'hello' );
	p.post( 'subscribe', { type: 'A', since: { epoch: 'api:1000', offset: 5 } } );
	await p.pass( 20 );
	await p.answer( { messages: [ { offset: 6, data: frame( 'A', 1 ) } ] } );
	assert.deepEqual( p.took().map( ( { op } ) => op ), [ 'transport', 'connected', 'message' ] );
	// What it has had, and what is not for it, stays known.
	p.post( 'bye' );
	p.post( 'hello' );
	p.post( 'subscribe', { type: 'A', since: { epoch: 'api:1000', offset: 6 } } );
	await p.pass( 20 );
	await p.answer( { messages: [ { offset: 6, data: frame( 'A', 1 ) }, { offset: 7, data: frame( 'A', 2 ) } ] } );
	assert.deepEqual( p.took().filter( ( { op } ) => op === 'message' ).map( ( { data } ) => data.msg ), [ 2 ] );
	p.post( 'bye' );
} );

test( 'one more script of the page wants what was before', async () => {
	const p = open();
	await p.up( 'A' );
	p.post( 'subscribe', { type: 'A' } );
	p.post( 'subscribe', { type: 'A', since: { time: 900 } } );
	await p.pass( 20 );
	assert.equal( p.asked[ 0 ].since, ':900' );
	await p.answer( { messages: [ { offset: 4, data: frame( 'A', 'old' ) } ] } );
	assert.deepEqual( p.took().map( ( { data } ) => data.msg ), [ 'old' ] );
	p.post( 'bye' );
} );

test( 'who is there nobody knows', async () => {
	const p = open();
	await p.up( 'A' );
	p.post( 'presence', { type: 'A', id: 3 } );
	p.post( 'follow', { type: 'A' } );
	assert.deepEqual( p.took().map( ( { op, id, about, code } ) => [ op, id, about, code ] ), [
		[ 'presence', 3, undefined, 'unavailable' ], [ 'error', undefined, 'presence', 'unavailable' ]
	] );
	p.post( 'woke' );
	await p.pass( 20 );
	assert.equal( p.asked.length, 1 );
	p.post( 'bye' );
} );

test( 'messages are sent one after the other, again when nobody knows whether they arrived, and with one key', async () => {
	const p = open();
	await p.up( 'Z' );
	p.post( 'send', { type: 'A', to: [ 'WS2', 'WS3' ], json: '{"x":1}' } );
	p.post( 'send', { type: 'B', to: [], json: '2' } );
	await p.settle();
	assert.equal( p.sent.length, 1 );
	const { type, msg, client, to, key } = p.sent[ 0 ];
	assert.deepEqual( { type, msg, client, to, key }, { type: 'A', msg: '{"x":1}', client: 'WS1', to: 'WS2,WS3', key: 'k1' } );
	p.sent.shift().reject( { code: 'http', message: 'gone' } );
	await p.settle();
	await p.pass( 10000 );
	assert.equal( p.sent[ 0 ].key, 'k1' );
	p.sent.shift().resolve( {} );
	await p.settle();
	assert.equal( p.sent[ 0 ].key, 'k2' );
	p.sent.shift().reject( { code: 'ratelimited', message: 'too fast' } );
	await p.settle();
	assert.deepEqual( p.took(), [ { op: 'error', about: 'send', type: 'B', code: 'rate-limited', message: 'too fast' } ] );
	p.post( 'bye' );
} );
