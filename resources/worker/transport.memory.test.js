import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forget, remember, remembered } from './transport.js';
import { json, last, open, openPoll, openStream, pass, requests, sockets, stream, timers } from './transport.testing.js';

test( 'what has worked is tried first, for ten minutes', async () => {
	const first = await openPoll();
	last( requests ).resolve( json( { frames: [ 'a' ], next: 1 } ) );
	await pass();
	assert.equal( remembered(), 'poll' );
	last( requests ).reject( new Error( 'network' ) );
	await pass( 599999 );
	assert.deepEqual( last( first.said ), [ 1006, '' ] );
	open();
	assert.deepEqual( [ sockets.length, last( requests ).options.body ], [ 1, 'open' ] );
	await pass( 1 );
	assert.equal( remembered(), '' );
	open();
	assert.equal( sockets.length, 2 );
	sockets[ 1 ].onopen();
	sockets[ 1 ].onmessage( { data: 'a' } );
	assert.equal( remembered(), '' );
} );

test( 'when that does not work any more, all ways are tried again at the next time', async () => {
	remember( 'poll' );
	const { said } = open();
	assert.deepEqual( [ sockets.length, requests[ 0 ].options.body ], [ 0, 'open' ] );
	requests[ 0 ].reject( new Error( 'network' ) );
	await pass();
	assert.deepEqual( said, [ [ 1006, '' ] ] );
	open();
	assert.equal( sockets.length, 1 );
} );

test( 'another worker\'s experience counts until there is an own one', () => {
	for ( const name of [ '', 'websocket', 'nonsense', undefined, '__proto__' ] ) {
		remember( name );
		assert.equal( remembered(), '' );
	}
	remember( 'sse' );
	remember( 'poll' );
	assert.equal( remembered(), 'sse' );
	forget();
	open();
	sockets[ 0 ].onopen();
	sockets[ 0 ].onmessage( { data: 'a' } );
	remember( 'poll' );
	assert.equal( remembered(), '' );
} );

test( 'where WebSockets have worked a relay that restarts does not move everybody to something else', async () => {
	open();
	sockets[ 0 ].onopen();
	sockets[ 0 ].onmessage( { data: 'a' } );
	sockets[ 0 ].onclose( { code: 1006 } );
	for ( let n = 1; n <= 2; n++ ) {
		const { said } = open();
		sockets[ n ].onclose( { code: 1006 } );
		assert.deepEqual( [ said, requests.length ], [ [ [ 1006, '' ] ], 0 ] );
	}
	open(); // elsewhere, perhaps
	sockets[ 3 ].onclose( { code: 1006 } );
	assert.equal( requests.length, 1 );
	stream().write( 'event: open\ndata: {"key":"K"}\n\ndata: a\n\n' );
	await pass();
	assert.equal( remembered(), 'sse' );
} );

test( 'what opens and brings nothing is not tried again next time', async () => {
	const { transport } = open();
	sockets[ 0 ].onopen();
	await pass( 15000 );
	transport.close( 3000, 'relay silent' );
	assert.equal( remembered(), 'sse' );
	for ( let n = 1; n <= 2; n++ ) { // once may be a relay that has just ended
		assert.equal( remembered(), 'sse' );
		open();
		const events = stream();
		events.write( 'event: open\ndata: {"key":"K"}\n\n' );
		await pass();
		events.end();
		await pass();
	}
	assert.equal( remembered(), 'poll' );
	const third = open();
	last( requests ).resolve( json( { key: 'K' } ) );
	await pass();
	last( requests ).reject( new Error( 'network' ) );
	await pass();
	assert.deepEqual( third.said, [ 'poll', 'open', [ 1006, '' ] ] );
	const fourth = open();
	last( requests ).resolve( json( { key: 'K' } ) );
	await pass( 15000 );
	fourth.transport.close( 3000, 'relay silent' );
	open();
	assert.equal( sockets.length, 2 );
	// Who goes away at once has not given it the time.
	sockets[ 1 ].onopen();
	await pass( 100 );
	forget();
	const quick = open();
	sockets[ 2 ].onopen();
	quick.transport.close( 1000, '' );
	assert.equal( remembered(), '' );
} );

test( 'a fault of who listens ends nothing', async () => {
	const { transport, events } = await openStream();
	const heard = [];
	transport.onmessage = ( event ) => {
		heard.push( event.data );
		throw new Error( 'of the listener' );
	};
	events.write( 'data: a\n\ndata: b\n\n' );
	await pass();
	assert.deepEqual( [ heard, transport.readyState ], [ [ 'a', 'b' ], 1 ] );
	assert.throws( () => timers.tick( 1 ), /of the listener/ );
} );
