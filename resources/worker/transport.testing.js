import { afterEach, beforeEach } from 'node:test';
import { fakeTimers } from '../timers.testing.js';
import { forget, remembered, Transport } from './transport.js';

const real = { now: Date.now, fetch: globalThis.fetch, WebSocket: globalThis.WebSocket };
let now;

// What the transports of the running test have made, in order. Each import sees those of the running test.
export let sockets, requests, timers;

// A network and a clock that the tests of a file decide about.
beforeEach( () => {
	now = 1e12;
	Date.now = () => now;
	timers = fakeTimers();
	sockets = [];
	requests = [];
	forget();
	globalThis.WebSocket = class {
		constructor( url, protocol ) {
			Object.assign( this, { url, protocol, sent: [], isClosed: false, readyState: 1 } );
			sockets.push( this );
		}

		send( text ) {
			this.sent.push( text );
		}

		close( ...why ) {
			this.isClosed = why;
		}
	};
	globalThis.fetch = ( url, options ) => new Promise( ( resolve, reject ) => {
		const request = { url, options, verb: options.body.split( /\s/ )[ 0 ], resolve, reject };
		requests.push( request );
		if ( options.signal ) {
			options.signal.addEventListener( 'abort', () => {
				request.isAborted = true;
				reject( new Error( 'aborted' ) );
			} );
		}
	} );
} );

afterEach( () => {
	timers.restore();
	Date.now = real.now;
	Object.assign( globalThis, { fetch: real.fetch, WebSocket: real.WebSocket } );
} );

/**
 * Let so much time pass, and everything that is due happen.
 *
 * @param {number} [ms]
 */
export async function pass( ms = 0 ) {
	now += ms;
	timers.tick( ms );
	// The promises of streams take some turns.
	for ( let i = 0; i < 5; i++ ) {
		await new Promise( ( resolve ) => {
			setImmediate( resolve );
		} );
	}
}

/**
 * Open a transport and note what it says.
 *
 * @return {Object}
 */
export function open() {
	const said = [];
	const transport = new Transport( 'wss://wiki.example/websocket:1729', 'p', ( name ) => said.push( name ) );
	transport.onopen = () => said.push( 'open' );
	transport.onmessage = ( event ) => said.push( event.data );
	transport.onclose = ( event ) => said.push( [ event.code, event.reason ] );
	return { transport, said };
}

export const last = ( list ) => list[ list.length - 1 ];
export const json = ( value ) => new Response( JSON.stringify( value ) );

/**
 * Answer the last request with a stream.
 *
 * @return {{write: function(string|Uint8Array), end: function()}}
 */
export function stream() {
	let controller;
	const body = new ReadableStream( {
		start( c ) {
			controller = c;
		}
	} );
	last( requests ).resolve( new Response( body ) );
	return { write: ( data ) => controller.enqueue( typeof data === 'string' ? new TextEncoder().encode( data ) : data ), end: () => controller.close() };
}

/**
 * A connection by Server-Sent Events, where WebSockets are refused.
 *
 * @return {Promise<Object>}
 */
export async function openStream() {
	const isFirst = !remembered();
	const c = open();
	if ( isFirst ) {
		last( sockets ).onclose( { code: 1006 } );
	}
	c.events = stream();
	c.events.write( 'event: open\ndata: {"key":"K"}\n\n' );
	await pass();
	return c;
}

export async function openPoll() {
	const c = open();
	last( sockets ).onclose( { code: 1006 } );
	last( requests ).resolve( new Response( '', { status: 404 } ) );
	await pass();
	last( requests ).resolve( json( { key: 'K' } ) );
	await pass();
	return c;
}
