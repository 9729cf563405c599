import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Tokens } from './token.js';

const now = Math.floor( Date.now() / 1000 );
const jwt = ( exp ) => 'e30.' + Buffer.from( JSON.stringify( { exp, sub: 'ÿ?>' } ), 'latin1' ).toString( 'base64url' ) + '.sig';
const good = jwt( now + 1000 );
const old = jwt( now - 1000 );

function wiki( answer ) {
	const asked = [];
	const tokens = ( settings ) => new Tokens( Object.assign( { token: null, api: '/api.php' }, settings ), ( url, options ) => {
		asked.push( [ url, options.credentials ] );
		return answer instanceof Error ? Promise.reject( answer ) : Promise.resolve( new Response( answer ) );
	} );
	return { asked, tokens };
}

test( 'the token of the page is taken while it lasts', async () => {
	const { asked, tokens } = wiki( '' );
	assert.deepEqual( tokens( { token: good } ).stock(), { token: good, expires: now + 1000 } );
	assert.deepEqual( await tokens( { token: good } ).get( false ), { token: good, expires: now + 1000 } );
	assert.deepEqual( tokens( { token: old } ).stock(), { token: null, expires: 0 } );
	assert.deepEqual( tokens( { token: 'no JWT' } ).stock(), { token: 'no JWT', expires: 0 } );
	assert.deepEqual( tokens( {} ).stock(), { token: null, expires: 0 } );
	assert.deepEqual( asked, [] );
} );

test( 'the wiki is asked for others', async () => {
	for ( const [ settings, refused ] of [ [ {}, false ], [ { token: old }, false ], [ { token: good }, true ] ] ) {
		const { asked, tokens } = wiki( '{"websocket-token":{"token":"T","expires":5,"wiki":"w:","user":""}}' );
		assert.deepEqual( await tokens( settings ).get( refused ), { token: 'T', expires: 5 } );
		assert.deepEqual( asked, [ [ '/api.php?action=websocket-token&format=json&formatversion=2', 'same-origin' ] ] );
	}
} );

test( 'a wiki that says no is not asked again, one that fails is', async () => {
	for ( const [ answer, final ] of [
		[ '{"error":{"code":"readapidenied"}}', true ],
		[ '{"error":{"code":"ratelimited"}}', false ],
		[ '{"error":{"code":"internal_api_error_DBQueryError"}}', false ],
		[ '{}', false ],
		[ '<html>504 Gateway Timeout', false ],
		[ new TypeError( 'no network' ), false ]
	] ) {
		assert.deepEqual( await wiki( answer ).tokens( {} ).get( false ), { final }, String( answer ) );
	}
} );

test( 'a relay without a wiki gets no token', async () => {
	const { tokens } = wiki( '' );
	assert.deepEqual( await tokens( { api: null } ).get( false ), { token: '', expires: 0 } );
	assert.deepEqual( await tokens( { api: null } ).get( true ), { final: true } );
} );

test( 'a wiki that is slow is not asked again meanwhile', async () => {
	const { asked, tokens } = wiki( '{"websocket-token":{"token":"T","expires":5}}' );
	const t = tokens( {} );
	assert.deepEqual( await Promise.all( [ t.get( true ), t.get( true ) ] ), [ { token: 'T', expires: 5 }, { token: 'T', expires: 5 } ] );
	assert.equal( asked.length, 1 );
	await t.get( true );
	assert.equal( asked.length, 2 );
} );

test( 'a machine that slept past the expiry asks for a new token', async () => {
	const { asked, tokens } = wiki( '{"websocket-token":{"token":"T","expires":5}}' );
	const t = tokens( { token: good } );
	const awake = Date.now();
	mock.method( Date, 'now', () => awake + 1001000 );
	try {
		assert.deepEqual( t.stock(), { token: null, expires: 0 } );
		assert.deepEqual( await t.get( false ), { token: 'T', expires: 5 } );
		assert.equal( asked.length, 1 );
	} finally {
		mock.restoreAll();
	}
} );
