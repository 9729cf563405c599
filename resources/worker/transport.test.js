import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forget, remembered, Transport } from './transport.js';
import { json, last, open, openPoll, openStream, pass, requests, sockets, stream } from './transport.testing.js';

test( 'a WebSocket that opens is all that is tried', async () => {
	const { transport, said } = open();
	const [ socket ] = sockets;
	assert.deepEqual( [ socket.url, socket.protocol, transport.readyState ], [ 'wss://wiki.example/websocket:1729', 'p', 0 ] );
	socket.onopen();
	assert.equal( transport.readyState, 1 );
	await pass( 10000 );
	transport.send( 'a' );
	socket.onmessage( { data: 'b' } );
	socket.onclose( { code: 4401, reason: 'why' } );
	assert.deepEqual( said, [ 'websocket', 'open', 'b', [ 4401, 'why' ] ] );
	assert.deepEqual( [ socket.sent, transport.readyState, requests, remembered() ], [ [ 'a' ], 3, [], '' ] );
} );

test( 'a closed one says nothing any more', async () => {
	const { transport, said } = open();
	transport.close( 3000, 'why' );
	assert.deepEqual( [ sockets[ 0 ].isClosed, sockets[ 0 ].onclose, transport.readyState ], [ [ 3000, 'why' ], null, 3 ] );
	await pass( 10000 );
	assert.deepEqual( [ said, sockets.length, requests ], [ [], 1, [] ] );
} );

test( 'an address that is none is an error', () => {
	assert.throws( () => new Transport( 'nonsense', 'p' ) );
} );

[ true, false ].forEach( ( isRefused ) => {
	test( 'a WebSocket that ' + ( isRefused ? 'is refused' : 'does not open in time' ) + ' is followed by a stream', async () => {
		const { transport, said } = open();
		await pass( 3999 );
		assert.equal( requests.length, 0 );
		if ( isRefused ) {
			sockets[ 0 ].onclose( { code: 1006 } );
		} else {
			await pass( 1 );
			assert.ok( sockets[ 0 ].isClosed );
		}
		const [ request ] = requests;
		assert.equal( request.url, 'https://wiki.example/websocket:1729' );
		const { method, body, headers, credentials, cache, redirect } = request.options;
		assert.deepEqual( [ method, body, headers, credentials, cache, redirect ],
			[ 'POST', 'stream', { 'Content-Type': 'text/plain' }, 'omit', 'no-store', 'error' ] );
		const events = stream();
		events.write( 'event: open\nda' );
		await pass();
		assert.deepEqual( said, [] );
		events.write( 'ta: {"key":"K"}\n\n:\n:\ndata: {"a":": ä"}\n\ndata: b\n\n' );
		await pass();
		assert.deepEqual( said, [ 'sse', 'open', '{"a":": ä"}', 'b' ] );
		assert.deepEqual( [ transport.readyState, remembered() ], [ 1, 'sse' ] );
		await pass( 10000 );
		events.write( 'event: close\ndata: {"code":4000,"reason":"slow consumer"}\n\ndata: never\n\n' );
		await pass();
		assert.deepEqual( last( said ), [ 4000, 'slow consumer' ] );
		assert.deepEqual( [ transport.readyState, request.isAborted, sockets.length ], [ 3, true, 1 ] );
	} );
} );

test( 'letters that come in pieces arrive whole', async () => {
	const { said, events } = await openStream();
	for ( const byte of new TextEncoder().encode( 'data: "ä€𝄞\u2028\r"\n\n' ) ) {
		events.write( new Uint8Array( [ byte ] ) );
	}
	await pass();
	assert.deepEqual( said, [ 'sse', 'open', '"ä€𝄞\u2028\r"' ] );
} );

test( 'a stream that says nothing in time is followed by polls', async () => {
	const { transport, said } = open();
	sockets[ 0 ].onclose( { code: 1006 } );
	stream(); // which a proxy holds back
	await pass( 3999 );
	assert.equal( requests.length, 1 );
	await pass( 1 );
	assert.deepEqual( [ requests[ 0 ].isAborted, requests[ 1 ].options.body ], [ true, 'open' ] );
	requests[ 1 ].resolve( json( { key: 'K' } ) );
	await pass();
	assert.equal( requests[ 2 ].options.body, 'poll K 0' );
	requests[ 2 ].resolve( json( { frames: [ 'a', 'b' ], next: 2 } ) );
	await pass();
	assert.equal( requests[ 3 ].options.body, 'poll K 2' );
	await pass( 25000 );
	requests[ 3 ].resolve( json( { frames: [], next: 2 } ) );
	await pass();
	assert.equal( requests[ 4 ].options.body, 'poll K 2' );
	requests[ 4 ].resolve( json( { close: { code: 1001, reason: 'relay going away' } } ) );
	await pass();
	assert.deepEqual( said, [ 'poll', 'open', 'a', 'b', [ 1001, 'relay going away' ] ] );
	assert.deepEqual( [ transport.readyState, requests.length, remembered() ], [ 3, 5, 'poll' ] );
} );

test( 'when nothing opens it closes as a WebSocket does', async () => {
	const { transport, said } = open();
	sockets[ 0 ].onclose( { code: 1006 } );
	requests[ 0 ].reject( new TypeError( 'Failed to fetch' ) );
	await pass();
	requests[ 1 ].resolve( new Response( 'Bad gateway', { status: 502 } ) );
	await pass();
	assert.deepEqual( [ said, transport.readyState, remembered() ], [ [ [ 1006, '' ] ], 3, '' ] );
	await pass( 100000 );
	assert.deepEqual( [ said.length, sockets.length, requests.length ], [ 1, 1, 2 ] );
} );

test( 'a relay, or a network, that comes back while polls are tried is asked for a stream again', async () => {
	const failures = [
		( request ) => request.reject( new TypeError( 'Failed to fetch' ) ),
		( request ) => request.resolve( new Response( '', { status: 502 } ) ),
		() => stream().end() // before it says that it is open
	];
	for ( const fail of failures ) {
		forget();
		requests.length = 0;
		const { said } = open();
		last( sockets ).onclose( { code: 1006 } );
		fail( last( requests ) );
		await pass();
		assert.equal( last( requests ).options.body, 'open' );
		last( requests ).resolve( json( { key: 'K' } ) );
		await pass();
		assert.deepEqual( [ said, requests.map( ( { verb } ) => verb ) ], [ [], [ 'stream', 'open', 'close', 'stream' ] ] );
		fail( last( requests ) ); // so something else is in the way
		await pass();
		last( requests ).resolve( json( { key: 'K2' } ) );
		await pass();
		assert.deepEqual( [ said, last( requests ).options.body ], [ [ 'poll', 'open' ], 'poll K2 0' ] );
	}
} );

test( 'when everything hangs it closes after three times the patience', async () => {
	const { said } = open();
	await pass( 4000 );
	await pass( 4000 );
	assert.deepEqual( said, [] );
	await pass( 4000 );
	assert.deepEqual( said, [ [ 1006, '' ] ] );
} );

test( 'what a policy of the page forbids is followed by what it allows', async () => {
	globalThis.WebSocket = class {
		constructor() {
			throw new DOMException( 'no', 'SecurityError' );
		}
	};
	const { said } = open();
	await pass();
	stream().write( 'event: open\ndata: {"key":"K"}\n\n' );
	await pass();
	assert.deepEqual( said, [ 'sse', 'open' ] );
} );

test( 'frames leave together, in order, one request at a time', async () => {
	const { transport, said } = await openStream();
	transport.send( '{"a":\n1}' );
	transport.send( 'b' );
	await pass();
	transport.send( 'c' );
	transport.send( 'd'.repeat( 40000 ) );
	transport.send( 'e'.repeat( 40000 ) );
	await pass();
	assert.deepEqual( requests.slice( 1 ).map( ( { options } ) => options.body ), [ 'send K 1\n{"a": 1}\nb' ] );
	const sizes = [];
	for ( let n = 1; n < requests.length; n++ ) {
		sizes.push( requests[ n ].options.body.length );
		requests[ n ].resolve( new Response( null, { status: 204 } ) );
		await pass();
	}
	assert.deepEqual( sizes, [ 19, 40011, 40009 ] );
	assert.ok( requests[ 2 ].options.body.startsWith( 'send K 2\nc\nddd' ) && requests[ 3 ].options.body.startsWith( 'send K 3\neee' ) );
	transport.send( 'f' );
	await pass();
	assert.equal( last( requests ).options.body, 'send K 4\nf' );
	assert.deepEqual( said, [ 'sse', 'open' ] );
} );

test( 'a request that fails ends the connection, unless the relay says why first', async () => {
	const { transport, said } = await openStream();
	transport.send( 'a' );
	await pass();
	last( requests ).resolve( new Response( '', { status: 404 } ) );
	await pass();
	assert.equal( said.length, 2 );
	await pass( 1000 );
	assert.deepEqual( last( said ), [ 1006, '' ] );
	assert.ok( requests[ 0 ].isAborted );

	const again = await openStream();
	again.transport.send( 'a' );
	await pass();
	last( requests ).resolve( new Response( '', { status: 404 } ) );
	again.events.write( 'data: heard\n\nevent: close\ndata: {"code":4401,"reason":"no"}\n\n' );
	await pass();
	await pass( 1000 );
	assert.deepEqual( again.said.slice( 2 ), [ 'heard', [ 4401, 'no' ] ] );
} );

test( 'a stream that breaks off, and polls that fail, end the connection', async () => {
	const { said, events } = await openStream();
	events.end();
	await pass();
	assert.deepEqual( last( said ), [ 1006, '' ] );
	forget();
	const polled = await openPoll();
	last( requests ).reject( new TypeError( 'network' ) );
	await pass();
	assert.deepEqual( polled.said, [ 'poll', 'open', [ 1006, '' ] ] );
} );

test( 'the relay is shown that somebody is there, and told when not', async () => {
	const { transport, said, events } = await openStream();
	events.write( 'event: ping\ndata: \n\n' );
	await pass();
	assert.equal( last( requests ).options.body, 'send K 1\n{"op":"ping"}' );
	transport.close( 1000, '' );
	assert.deepEqual( [ last( requests ).options.body, last( requests ).options.keepalive ], [ 'close K', true ] );
	assert.ok( requests[ 0 ].isAborted && requests[ 1 ].isAborted );
	events.write( 'data: late\n\n' );
	await pass( 5000 );
	assert.deepEqual( said, [ 'sse', 'open' ] );
} );
