import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOSTILE } from '../hostile.testing.js';
import { Ports } from './ports.js';

globalThis.self = globalThis;

/**
 * A host with pages.
 *
 * @param {boolean} withLocks
 * @return {Object}
 */
function host( withLocks ) {
	const h = { heard: [], now: 0, waiting: [] };
	h.ports = new Ports( ( client, message ) => h.heard.push( client + ' ' + message.op ), {
		now: () => h.now,
		locks: withLocks ? {
			request( name, take ) {
				h.waiting.push( { name, take } );
				return new Promise( () => {} );
			}
		} : undefined
	} );
	h.page = ( client ) => {
		const page = { told: [] };
		const port = { postMessage: ( message ) => page.told.push( message.op ) };
		page.say = ( op, members ) => port.onmessage( { data: Object.assign( { op, client }, members ) } );
		page.took = () => page.told.splice( 0 );
		h.ports.add( port );
		return page;
	};
	h.took = () => h.heard.splice( 0 );
	return h;
}

test( 'a page is welcomed, heard and dismissed', () => {
	const h = host( false );
	const page = h.page( 'WS1' );
	assert.deepEqual( page.took(), [ 'welcome' ] );
	page.say( 'hello' );
	page.say( 'subscribe' );
	page.say( 'pong' );
	page.say( 'bye' );
	page.say( 'bye' );
	assert.deepEqual( h.took(), [ 'WS1 hello', 'WS1 subscribe', 'WS1 bye' ] );
	h.ports.post( 'WS1', { op: 'message' } );
	h.ports.broadcast( { op: 'lost' } );
	assert.deepEqual( page.took(), [] );
	page.say( 'hello' ); // it came back
	assert.deepEqual( h.took(), [ 'WS1 hello' ] );
} );

test( 'a page that is silent for five minutes is dropped, and welcomed when it speaks again', () => {
	const h = host( false );
	const silent = h.page( 'WS1' );
	const live = h.page( 'WS2' );
	silent.say( 'hello' );
	live.say( 'hello' );
	h.took();
	h.now = 300000;
	live.say( 'pong' );
	h.ports.check();
	assert.deepEqual( h.took(), [] );
	h.now = 300001;
	h.ports.check();
	assert.deepEqual( h.took(), [ 'WS1 bye' ] );
	assert.deepEqual( live.took(), [ 'welcome', 'ping', 'ping' ] );
	silent.took();
	silent.say( 'send' );
	assert.deepEqual( [ h.took(), silent.took() ], [ [], [ 'welcome' ] ] );
	silent.say( 'hello' );
	assert.deepEqual( h.took(), [ 'WS1 hello' ] );
} );

test( 'a page that holds a lock is gone when the lock is free, and not before', () => {
	const h = host( true );
	const page = h.page( 'WS1' );
	page.say( 'hello' );
	page.say( 'locked' );
	assert.equal( h.waiting[ 0 ].name, 'WebSocket WS1' );
	h.now = 1e9;
	h.ports.check();
	assert.deepEqual( h.took(), [ 'WS1 hello' ] );
	h.waiting[ 0 ].take();
	assert.deepEqual( h.took(), [ 'WS1 bye' ] );
} );

test( 'the lock of a page that went and came back tells nothing of it now', () => {
	const h = host( true );
	const page = h.page( 'WS1' );
	page.say( 'hello' );
	page.say( 'locked' );
	page.say( 'bye' );
	page.say( 'hello' );
	h.took();
	h.waiting[ 0 ].take();
	assert.deepEqual( h.took(), [] );
} );

test( 'after the program was lost, pages are welcomed anew', () => {
	const h = host( false );
	const page = h.page( 'WS1' );
	page.say( 'hello' );
	h.took();
	page.took();
	h.ports.forget();
	h.ports.broadcast( { op: 'lost' } );
	page.say( 'send' );
	assert.deepEqual( [ h.took(), page.took() ], [ [], [ 'lost', 'welcome' ] ] );
} );

test( 'pages learn which lock the host holds, once it does', () => {
	const h = host( true );
	const early = h.page( 'WS1' );
	h.ports.hold( 'host' );
	h.waiting[ 0 ].take();
	const late = h.page( 'WS2' );
	assert.deepEqual( [ early.took(), late.took() ], [ [ 'welcome', 'lock' ], [ 'welcome', 'lock' ] ] );
	host( false ).ports.hold( 'host' ); // without locks: nothing
} );

test( 'client ids are only names, whatever they are called', () => {
	for ( const id of HOSTILE ) {
		const h = host( false );
		const page = h.page( id );
		page.say( 'subscribe' ); // before hello: known to nobody, also not by inheritance
		assert.deepEqual( [ h.took(), page.took() ], [ [], [ 'welcome', 'welcome' ] ] );
		page.say( 'hello' );
		h.ports.post( id, { op: 'message' } );
		h.ports.post( 'toLocaleString', { op: 'message' } );
		assert.deepEqual( [ h.took(), page.took() ], [ [ id + ' hello' ], [ 'message' ] ] );
	}
	assert.deepEqual( Object.keys( Object.prototype ), [] );
} );
