import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeTimers } from '../timers.testing.js';
import { ask } from './api.js';

const answering = ( text ) => () => Promise.resolve( new Response( text ) );

test( 'what the wiki answers, and whether asking again is of use', async () => {
	for ( const [ text, want ] of [
		[ '{"m":{"x":1}}', { found: { x: 1 }, final: false, message: '' } ],
		[ '{"error":{"code":"readapidenied","info":"no"}}', { found: undefined, final: true, message: 'no' } ],
		[ '{"error":{"code":"badvalue"}}', { found: undefined, final: true, message: 'badvalue' } ],
		[ '{"error":{"code":"maxlag","info":"busy"},"m":{}}', { found: undefined, final: false, message: 'busy' } ],
		[ '{"other":{}}', { found: undefined, final: false, message: '' } ],
		[ 'null', { found: undefined, final: false, message: '' } ],
		[ '<html>', { found: undefined, final: false, message: '' } ]
	] ) {
		assert.deepEqual( await ask( answering( text ), '/api.php', 'm' ), want, text );
	}
} );

test( 'names of types are in the body of the request, where no log has them', async () => {
	let request;
	await ask( ( ...args ) => {
		request = args;
		return Promise.reject( new TypeError( 'network' ) );
	}, '/api.php', 'm', { types: 'a&b=c' } );
	const [ url, { method, body } ] = request;
	assert.deepEqual( [ url, method, String( body ) ], [ '/api.php?action=m&format=json&formatversion=2', 'POST', 'types=a%26b%3Dc' ] );
} );

test( 'a wiki that does not answer is given up', async () => {
	const timers = fakeTimers();
	try {
		const answer = ask( ( url, { signal } ) => new Promise( ( resolve, reject ) => {
			signal.onabort = () => reject( new Error( 'aborted' ) );
		} ), '/api.php', 'm' );
		timers.tick( 19999 );
		timers.tick( 1 );
		assert.deepEqual( await answer, { found: undefined, final: false, message: '' } );
	} finally {
		timers.restore();
	}
} );
