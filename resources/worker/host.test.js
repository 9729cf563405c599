import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { fakeTimers } from '../timers.testing.js';
import { Host } from './host.js';

/**
 * A host with a fake socket.
 *
 * @return {Object}
 */
function host() {
	const h = { received: [], posted: [], sent: [], closed: [] };
	globalThis.WebSocket = class {
		constructor( url, protocol ) {
			if ( url === 'nonsense' ) {
				throw new SyntaxError( url );
			}
			h.opened = [ url, protocol ];
			h.socket = this;
			this.readyState = 1;
		}

		send( text ) {
			h.sent.push( text );
		}

		close( code, reason ) {
			h.closed.push( [ code, reason ] );
		}
	};
	globalThis.WebSocket.OPEN = 1;
	h.host = new Host( ( client, message ) => h.posted.push( [ client, message ] ) );
	h.host.listen( ( ...event ) => h.received.push( event ) );
	return h;
}

test( 'messages to pages have names for what the program says in order', () => {
	const h = host();
	h.host.post( 'WS1', 'connected', 'w:', 'Ann' );
	h.host.post( 'WS1', 'disconnected', 1006, '', true );
	h.host.post( 'WS1', 'message', { type: 'A' } );
	h.host.post( 'WS1', 'error', 'send', 'A', 'forbidden', 'no' );
	h.host.post( 'WS1', 'token', false );
	h.host.post( 'WS1', 'grants', [ 'A', 'B' ], [ 'B' ] );
	h.host.post( 'WS1', 'position', 'A', 'E', 7 );
	h.host.post( 'WS1', 'missed', 'A' );
	h.host.post( 'WS1', 'presence', 1, { users: [] }, '', '' );
	h.host.post( 'WS1', 'join', 'A', { user: 'Ann' } );
	h.host.post( 'WS1', 'leave', 'A', { anonymous: 1 } );
	assert.deepEqual( h.posted.map( ( [ client, message ] ) => client === 'WS1' && message ), [
		{ op: 'connected', wiki: 'w:', user: 'Ann' },
		{ op: 'disconnected', code: 1006, reason: '', retry: true },
		{ op: 'message', data: { type: 'A' } },
		{ op: 'error', about: 'send', type: 'A', code: 'forbidden', message: 'no' },
		{ op: 'token', refused: false },
		{ op: 'grants', types: [ 'A', 'B' ], refused: [ 'B' ] },
		{ op: 'position', type: 'A', epoch: 'E', offset: 7 },
		{ op: 'missed', type: 'A' },
		{ op: 'presence', id: 1, data: { users: [] }, code: '', message: '' },
		{ op: 'join', type: 'A', data: { user: 'Ann' } },
		{ op: 'leave', type: 'A', data: { anonymous: 1 } }
	] );
} );

test( 'the program gets messages ready to send, and lives in place of dates', () => {
	const h = host();
	h.host.deliver( 'WS1', { op: 'send', type: 'A', to: [], json: '1' } );
	assert.equal( h.received[ 0 ][ 2 ].bytes, h.received[ 0 ][ 2 ].body.text.length );
	const now = Date.now() / 1000;
	for ( const [ expires, low, high ] of [ [ now + 100, 98, 100 ], [ now - 100, -102, -100 ], [ now + 0.5, -1, -1 ] ] ) {
		h.received = [];
		h.host.deliver( 'WS1', { op: 'hello', token: 'T', expires } );
		const { life } = h.received[ 0 ][ 2 ];
		assert.ok( life >= low && life <= high, String( life ) );
	}
	h.received = [];
	h.host.deliver( 'WS1', { op: 'hello', token: 'T', expires: 0 } );
	assert.equal( h.received[ 0 ][ 2 ].life, undefined );
	h.received = [];
	const refused = [ { type: 'C', code: 'forbidden', message: 'no' } ];
	h.host.deliver( 'WS1', {
		op: 'granted', tokens: [ { type: 'A', token: 'TA', expires: now + 100 }, { type: 'B', token: 'TB', expires: 0 } ], refused, final: false
	} );
	const [ op, client, members ] = h.received[ 0 ];
	assert.deepEqual( [ op, client, members.refused, members.final ], [ 'granted', 'WS1', refused, false ] );
	assert.deepEqual( members.tokens.map( ( { type, token } ) => type + ' ' + token ), [ 'A TA', 'B TB' ] );
	assert.ok( members.tokens[ 0 ].life >= 98 && members.tokens[ 0 ].life <= 100 );
	assert.equal( members.tokens[ 1 ].life, 0 );
} );

test( 'timers tell the program that they are due, once, unless it cancels them', () => {
	const timers = fakeTimers();
	const h = host();
	h.host.after( 1, 100 );
	h.host.after( 2, 100 );
	h.host.after( 3, 1e12 ); // further than setTimeout reaches
	h.host.cancel( 2 );
	h.host.cancel( 2 );
	h.host.cancel( 9 );
	timers.tick( 99 );
	assert.deepEqual( h.received, [] );
	timers.tick( 1e9 );
	assert.deepEqual( h.received, [ [ 'timer', '', { id: 1 } ] ] );
	h.host.cancel( 1 );
	timers.tick( 0x7fffffff - 1e9 );
	assert.deepEqual( h.received[ 1 ], [ 'timer', '', { id: 3 } ] );
	timers.restore();
} );

test( 'nothing is left of a program that ended', () => {
	const timers = fakeTimers();
	const h = host();
	h.host.open( 'ws://relay/', 'p' );
	h.host.after( 1, 100 );
	h.host.end();
	timers.tick( 1000 );
	assert.deepEqual( [ h.received, h.closed ], [ [], [ [ 3000, 'client restarts' ] ] ] );
	timers.restore();
} );

test( 'the socket is heard until it is closed', () => {
	const h = host();
	assert.equal( h.host.open( 'nonsense', 'p' ), false );
	assert.equal( h.host.open( 'ws://relay/', 'p' ), true );
	assert.deepEqual( h.opened, [ 'ws://relay/', 'p' ] );
	h.socket.onopen();
	h.socket.onmessage( { data: '{"op":"pong"}' } );
	h.socket.onmessage( { data: 'no frame' } );
	assert.deepEqual( h.received.map( ( [ op ] ) => op ), [ 'opened', 'frame' ] );
	h.host.send( 0, 'ping', '', '', '', [] );
	h.socket.readyState = 2;
	h.host.sendMessage( 5, { text: '"op":"send"}', sent: 0 } );
	assert.deepEqual( h.sent, [ '{"op":"ping"}' ] );
	h.host.close( 3000, 'why' );
	h.host.close( 3000, 'why' );
	assert.deepEqual( h.closed, [ [ 3000, 'why' ] ] );
	assert.equal( h.socket.onmessage, null );
} );

test( 'a socket that closes by itself is reported once', () => {
	const h = host();
	h.host.open( 'ws://relay/', 'p' );
	h.socket.onopen();
	h.socket.onclose( { code: 4000, reason: 'slow consumer' } );
	assert.deepEqual( h.received, [ [ 'opened', '', {} ], [ 'closed', '', { code: 4000, reason: 'slow consumer' } ] ] );
	assert.equal( h.socket.onclose, null );
	h.host.send( 0, 'ping', '', '', '', [] );
	assert.deepEqual( h.sent, [] );
} );

test( 'each message has a key of its own, which nobody can guess', () => {
	const keys = new Set();
	for ( const h of [ host(), host() ] ) {
		for ( let i = 0; i < 3; i++ ) {
			h.host.deliver( 'WS1', { op: 'send', type: 'A', to: [], json: '1' } );
			const { key } = JSON.parse( '{' + h.received.pop()[ 2 ].body.text );
			assert.match( key, /^[\w.:-]{1,64}$/ ); // as relay/wire has it
			keys.add( key );
		}
	}
	assert.equal( keys.size, 6 );
} );

test( 'a message is sent again as it was, but not when the relay has forgotten it', async () => {
	mock.timers.enable( { apis: [ 'Date' ], now: 1e12 } );
	try {
		const h = host();
		h.host.open( 'ws://relay/', 'p' );
		h.socket.onopen();
		h.host.deliver( 'WS1', { op: 'send', type: 'A', to: [], json: '1' } );
		const { body } = h.received.pop()[ 2 ];
		mock.timers.tick( 3600000 ); // it may wait as long as it likes before it is sent
		h.host.sendMessage( 5, body );
		mock.timers.tick( 539999 );
		h.host.sendMessage( 6, body );
		assert.equal( h.sent.length, 2 );
		assert.equal( h.sent[ 0 ].replace( '"id":5', '"id":6' ), h.sent[ 1 ] );
		mock.timers.tick( 1 );
		h.host.sendMessage( 7, body );
		assert.deepEqual( h.received.filter( ( event ) => event[ 0 ] === 'frame' ), [] ); // the program is in the middle of something
		await null;
		const [ op, , frame ] = h.received.pop();
		assert.deepEqual( [ op, frame.id, frame.reply, frame.error, h.sent.length ], [ 'frame', 7, true, 'unavailable', 2 ] );
	} finally {
		mock.timers.reset();
	}
} );

test( 'pages learn how they are connected before that they are', () => {
	const h = host();
	h.host.open( 'ws://relay/', 'p' );
	h.socket.onopen();
	h.host.post( 'WS1', 'connected', 'w:', 'Ann' );
	assert.deepEqual( h.posted.map( ( [ , message ] ) => message ), [
		{ op: 'transport', name: 'websocket' }, { op: 'connected', wiki: 'w:', user: 'Ann' }
	] );
} );

test( 'what time has brought is heard of after that it may be late', () => {
	const timers = fakeTimers();
	try {
		const h = host();
		h.host.onTime = () => h.host.cancel( 2 );
		h.host.open( 'ws://relay/', 'p' );
		h.host.after( 1, 10 );
		h.host.after( 2, 20 );
		timers.tick( 10 );
		timers.tick( 10 );
		assert.deepEqual( h.received.map( ( [ op, , { id } ] ) => op + ' ' + id ), [ 'timer 1' ] );
	} finally {
		timers.restore();
	}
} );
