import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeTimers } from '../timers.testing.js';
import { Carrier } from './carrier.js';

/**
 * Pretend to be a browser.
 *
 * @param {Object} names what it has: SharedWorker, Worker, document; "throws" in place of a way makes its constructor throw
 * @return {Object}
 */
function browser( names ) {
	const b = { opened: [], received: [], failed: [], closed: [], timers: fakeTimers() };
	const way = ( kind, port ) => function ( url, options ) {
		if ( names[ kind ] === 'throws' ) {
			throw new Error( kind + ' throws' );
		}
		port.postMessage = () => {};
		port.close = port.terminate = () => b.closed.push( kind );
		b.opened.push( [ kind, url, options && options.name ] );
		b[ kind ] = this;
		this.port = b.port = port;
		return kind === 'Worker' ? Object.assign( this, port ) : this;
	};
	globalThis.SharedWorker = names.SharedWorker && way( 'SharedWorker', {} );
	globalThis.Worker = names.Worker && way( 'Worker', {} );
	globalThis.document = {
		createElement: () => ( {} ),
		head: { appendChild: ( script ) => {
			b.opened.push( [ 'page', script.src ] );
			b.script = script;
		} }
	};
	b.carrier = new Carrier( {
		url: '/w.js', name: 'N', receive: ( m ) => b.received.push( m.op ), failed: ( why ) => b.failed.push( why )
	} );
	b.carrier.start();
	b.end = () => {
		b.timers.restore();
		if ( b.script ) {
			b.script.webSocketPort.close();
		}
	};
	b.kinds = () => b.opened.map( ( [ kind ] ) => kind );
	return b;
}

test( 'a shared worker comes first', () => {
	const b = browser( { SharedWorker: true, Worker: true } );
	assert.deepEqual( b.opened, [ [ 'SharedWorker', '/w.js', 'N' ] ] );
	assert.equal( b.carrier.shared, true );
	b.SharedWorker.port.onmessage( { data: { op: 'welcome' } } );
	b.SharedWorker.onerror(); // of a script that runs: not our business
	assert.deepEqual( [ b.received, b.kinds(), b.failed ], [ [ 'welcome' ], [ 'SharedWorker' ], [] ] );
	b.end();
} );

test( 'what the browser lacks or forbids is passed over', () => {
	for ( const [ names, kind ] of [
		[ { Worker: true }, 'Worker' ],
		[ { SharedWorker: 'throws', Worker: true }, 'Worker' ],
		[ { SharedWorker: 'throws', Worker: 'throws' }, 'page' ],
		[ {}, 'page' ]
	] ) {
		const b = browser( names );
		assert.deepEqual( b.kinds(), [ kind ] );
		assert.equal( b.carrier.shared, false );
		b.end();
	}
} );

test( 'a script that does not load is passed over, and reported when it was the last way', () => {
	const b = browser( { SharedWorker: true, Worker: true } );
	b.SharedWorker.onerror();
	b.SharedWorker.onerror();
	b.Worker.onerror();
	b.script.onerror();
	assert.deepEqual( b.kinds(), [ 'SharedWorker', 'Worker', 'page' ] );
	assert.equal( b.failed.length, 1 );
	b.carrier.post( { op: 'hello' } ); // to nobody
	b.end();
} );

test( 'a host that says nothing or cannot run the program is passed over', () => {
	const b = browser( { SharedWorker: true, Worker: true } );
	b.timers.tick( 9999 );
	assert.deepEqual( b.kinds(), [ 'SharedWorker' ] );
	b.timers.tick( 1 );
	assert.deepEqual( b.kinds(), [ 'SharedWorker', 'Worker' ] );
	assert.deepEqual( b.closed, [ 'SharedWorker' ] );
	b.Worker.onmessage( { data: { op: 'welcome' } } );
	b.timers.tick( 20000 );
	assert.deepEqual( b.kinds(), [ 'SharedWorker', 'Worker' ] );
	b.Worker.onmessage( { data: { op: 'failed', message: 'policy' } } );
	assert.deepEqual( b.kinds(), [ 'SharedWorker', 'Worker', 'page' ] );
	b.script.onerror();
	assert.equal( b.failed.length, 1 );
	b.end();
} );
