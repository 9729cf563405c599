import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { fakeTimers } from '../timers.testing.js';
import { Program } from './program.js';
import { CannotRun } from './wasm.js';

globalThis.self = globalThis;

const settle = async () => {
	for ( let i = 0; i < 10; i++ ) {
		await null;
	}
};

/**
 * A host's program, in place of which runs what the test says.
 *
 * @param {Object} [options]
 * @param {function(): Promise} [options.compile]
 * @param {function(Object)} [options.main] what the program does when it starts
 * @return {Object}
 */
function host( options ) {
	const h = { pages: [], received: [], runs: [], compiled: 0, timeouts: [] };
	const { compile, main } = Object.assign( {
		compile: () => Promise.resolve( 'module' ),
		main: ( webSocketHost ) => webSocketHost.listen( ( op, client ) => h.received.push( client + ' ' + op ) )
	}, options );
	class Go {
		constructor() {
			this.exit = () => {};
			this._scheduledTimeouts = new Map();
		}

		run() {
			h.runs.push( this );
			main( globalThis.webSocketHost );
			return new Promise( ( resolve ) => {
				this.end = resolve;
			} );
		}

		_resume() {
			if ( this.broken ) {
				throw new Error( 'unreachable' );
			}
		}
	}
	h.program = new Program( {
		post: ( client, message ) => h.pages.push( client + ' ' + message.op ),
		lost: () => h.pages.push( 'lost' ),
		welcome: () => h.pages.push( 'welcome' ),
		failed: ( message ) => h.pages.push( 'failed ' + message )
	}, {
		compile: () => {
			h.compiled++;
			return compile();
		},
		Go: () => new Go(),
		instantiate: () => Promise.resolve( 'instance' )
	} );
	h.hello = ( client ) => h.program.deliver( client, { op: 'hello', wasm: '/x.wasm' } );
	h.took = () => h.pages.splice( 0 );
	return h;
}

test( 'the program is loaded at the first hello, and hears what was said until it runs', async () => {
	const h = host();
	h.program.deliver( '', { op: 'online', online: true } );
	h.program.deliver( 'WS1', { op: 'subscribe', type: 'A' } );
	assert.equal( h.compiled, 0 );
	h.hello( 'WS1' );
	h.program.deliver( 'WS1', { op: 'subscribe', type: 'A' } );
	h.hello( 'WS2' );
	await settle();
	h.program.deliver( 'WS2', { op: 'bye' } );
	assert.equal( h.compiled, 1 );
	assert.deepEqual( h.received, [ 'WS1 hello', 'WS1 subscribe', 'WS2 hello', 'WS2 bye' ] );
	assert.equal( 'webSocketHost' in globalThis, false );
} );

test( 'a program that ends is started again, with backoff, and without loading it again', async () => {
	const timers = fakeTimers();
	mock.method( Math, 'random', () => 1 );
	try {
		for ( const crash of [
			( go ) => go.end(),
			( go ) => go.exit( 2 ),
			( go ) => {
				go.broken = true;
				assert.throws( () => go._resume(), /unreachable/ );
			}
		] ) {
			const h = host();
			h.hello( 'WS1' );
			await settle();
			for ( const wait of [ 1000, 2000, 4000 ] ) {
				crash( h.runs[ h.runs.length - 1 ] );
				await settle();
				assert.deepEqual( h.took(), [ 'lost' ] );
				h.program.deliver( 'WS1', { op: 'send', type: 'A', to: [], json: '1' } );
				timers.tick( wait - 1 );
				assert.deepEqual( h.took(), [] );
				timers.tick( 1 );
				assert.deepEqual( h.took(), [ 'welcome' ] );
				h.hello( 'WS1' );
				await settle();
			}
			assert.deepEqual( [ h.runs.length, h.compiled ], [ 4, 1 ] );
			assert.deepEqual( h.received, [ 'WS1 hello', 'WS1 hello', 'WS1 hello', 'WS1 hello' ] );
		}
	} finally {
		timers.restore();
		mock.restoreAll();
	}
} );

test( 'a program that cannot run is not tried again', async () => {
	const h = host( { compile: () => Promise.reject( new CannotRun( 'policy' ) ) } );
	h.hello( 'WS1' );
	await settle();
	assert.deepEqual( h.took(), [ 'failed policy' ] );
} );

test( 'a download that fails is', async () => {
	const timers = fakeTimers();
	try {
		let attempts = 0;
		const h = host( { compile: () => ++attempts === 1 ? Promise.reject( new TypeError( 'network' ) ) : Promise.resolve( 'module' ) } );
		h.hello( 'WS1' );
		await settle();
		timers.tick( 1000 );
		assert.deepEqual( h.took(), [ 'lost', 'welcome' ] );
		h.hello( 'WS1' );
		await settle();
		assert.deepEqual( h.received, [ 'WS1 hello' ] );
	} finally {
		timers.restore();
	}
} );

test( 'the socket of a program that ended is closed', async () => {
	const timers = fakeTimers();
	const closed = [];
	globalThis.WebSocket = class {
		close( code ) {
			closed.push( code );
		}
	};
	try {
		const h = host( { main: ( webSocketHost ) => {
			webSocketHost.listen( () => {} );
			assert.equal( webSocketHost.open( 'ws://relay/', 'protocol' ), true );
		} } );
		h.hello( 'WS1' );
		await settle();
		h.runs[ 0 ].exit( 2 );
		assert.deepEqual( closed, [ 3000 ] );
	} finally {
		timers.restore();
	}
} );

test( 'timers of a program that ended do not fire', async () => {
	const timers = fakeTimers();
	try {
		const h = host( { main: ( webSocketHost ) => {
			webSocketHost.listen( ( op ) => h.received.push( op ) );
			webSocketHost.after( 1, 10 );
		} } );
		let fired = 0;
		h.hello( 'WS1' );
		await settle();
		h.runs[ 0 ]._scheduledTimeouts.set( 1, setTimeout( () => fired++, 10 ) ); // Go's own
		h.runs[ 0 ].exit( 2 );
		timers.tick( 100 );
		assert.deepEqual( [ fired, h.received ], [ 0, [ 'hello' ] ] );
	} finally {
		timers.restore();
	}
} );
