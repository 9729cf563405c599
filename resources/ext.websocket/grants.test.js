import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { HOSTILE } from '../hostile.testing.js';
import { Grants } from './grants.js';

const now = Math.floor( Date.now() / 1000 );

/**
 * A wiki with subscription tokens: T1, T2 and so on. Types that begin with "no" are refused, of "gone" it knows nothing.
 *
 * @param {Object} [options]
 * @return {Object}
 */
function wiki( options ) {
	const w = Object.assign( { asked: [], running: 0, most: 0, made: 0, life: 3600, fail: null, during: () => {} }, options );
	w.grants = new Grants( { api: '/api.php' }, async ( url, { body } ) => {
		w.most = Math.max( w.most, ++w.running );
		await null;
		w.running--;
		assert.equal( url, '/api.php?action=websocket-subscribe&format=json&formatversion=2' );
		const types = body.get( 'types' );
		assert.equal( types[ 0 ], '\u001f' );
		const list = types.slice( 1 ).split( '\u001f' );
		w.asked.push( list );
		w.during();
		if ( w.fail ) {
			return w.fail();
		}
		const found = { tokens: [], refused: [] };
		list.forEach( ( type ) => {
			if ( type.startsWith( 'no' ) ) {
				found.refused.push( { type, code: 'forbidden', message: 'not you' } );
			} else if ( type !== 'gone' ) {
				found.tokens.push( { type, token: 'T' + ++w.made, expires: now + w.life } );
			}
		} );
		return new Response( JSON.stringify( { 'websocket-subscribe': found } ) );
	} );
	w.texts = async ( types, refused ) => {
		const answer = await w.grants.get( types, refused || [] );
		assert.equal( answer.final, false );
		return answer.tokens.map( ( { type, token } ) => type + ' ' + token );
	};
	return w;
}

test( 'a token is asked for once and kept until 30 s before its end', async () => {
	const w = wiki();
	assert.deepEqual( await w.grants.get( [ 'A' ], [] ), { tokens: [ { type: 'A', token: 'T1', expires: now + 3600 } ], refused: [], final: false } );
	assert.deepEqual( await w.texts( [ 'A' ] ), [ 'A T1' ] );
	mock.method( Date, 'now', () => ( now + 3600 - 31 ) * 1000 );
	try {
		assert.deepEqual( await w.texts( [ 'A' ] ), [ 'A T1' ] );
		Date.now.mock.mockImplementation( () => ( now + 3600 - 30 ) * 1000 );
		assert.deepEqual( await w.texts( [ 'A' ] ), [ 'A T2' ] );
	} finally {
		mock.restoreAll();
	}
} );

test( 'a token that the relay refused is not given again', async () => {
	const w = wiki();
	await w.texts( [ 'A', 'B' ] );
	assert.deepEqual( await w.texts( [ 'A', 'B' ], [ 'B' ] ), [ 'A T1', 'B T3' ] );
	assert.deepEqual( w.asked, [ [ 'A', 'B' ], [ 'B' ] ] );
} );

test( 'what is asked for within one moment is one request, and what is on its way is not asked for again', async () => {
	let third;
	const w = wiki( { during: () => {
		third = w.texts( [ 'C' ] );
	} } );
	const first = w.texts( [ 'A', 'B' ] );
	const second = w.texts( [ 'B', 'C' ] );
	assert.deepEqual( [ await first, await second, await third ], [ [ 'A T1', 'B T2' ], [ 'B T2', 'C T3' ], [ 'C T3' ] ] );
	assert.deepEqual( w.asked, [ [ 'A', 'B', 'C' ] ] );
} );

test( 'many types are requests of fifty, one after the other', async () => {
	for ( const [ n, sizes ] of [ [ 50, [ 50 ] ], [ 51, [ 50, 1 ] ], [ 120, [ 50, 50, 20 ] ] ] ) {
		const w = wiki();
		const types = Array.from( { length: n }, ( _, i ) => 'A' + i );
		assert.equal( ( await w.texts( types ) ).length, n );
		assert.deepEqual( w.asked.map( ( list ) => list.length ), sizes );
		assert.equal( w.most, 1 );
	}
} );

test( 'refusals have their reasons, also those of types that the wiki does not know', async () => {
	const w = wiki();
	assert.deepEqual( await w.grants.get( [ 'no1', 'gone', 'A' ], [] ), {
		tokens: [ { type: 'A', token: 'T1', expires: now + 3600 } ],
		refused: [
			{ type: 'no1', code: 'forbidden', message: 'not you' },
			{ type: 'gone', code: 'bad-request', message: 'the wiki does not know this type' }
		],
		final: false
	} );
	await w.grants.get( [ 'no1' ], [] ); // rights change
	assert.deepEqual( w.asked[ 1 ], [ 'no1' ] );
} );

test( 'a wiki that says no to the request says no to each type, one that fails does not', async () => {
	const answer = ( text ) => () => Promise.resolve( new Response( text ) );
	const no = [ { type: 'A', code: 'forbidden', message: 'You may not read.' } ];
	for ( const [ fail, refused ] of [
		[ answer( '{"error":{"code":"readapidenied","info":"You may not read."}}' ), no ],
		[ answer( '{"error":{"code":"ratelimited","info":"slowly"}}' ), [] ],
		[ answer( '{"error":{"code":"internal_api_error_DBQueryError"}}' ), [] ],
		[ answer( '{}' ), [] ],
		[ answer( '<html>504' ), [] ],
		[ () => Promise.reject( new TypeError( 'network' ) ), [] ]
	] ) {
		const w = wiki( { fail } );
		assert.deepEqual( await w.grants.get( [ 'A' ], [] ), { tokens: [], refused, final: false } );
		w.fail = null;
		assert.deepEqual( await w.texts( [ 'A' ] ), [ 'A T1' ] );
	}
} );

test( 'a relay without a wiki has no such tokens', async () => {
	const grants = new Grants( { api: null }, () => assert.fail( 'asked' ) );
	assert.deepEqual( await grants.get( [ 'A' ], [] ), { tokens: [], refused: [], final: true } );
} );

test( 'types are only names, whatever they are called', async () => {
	const w = wiki();
	const want = HOSTILE.map( ( type, i ) => type + ' T' + ( i + 1 ) );
	assert.deepEqual( await w.texts( HOSTILE ), want );
	assert.deepEqual( await w.texts( HOSTILE ), want );
	assert.deepEqual( w.asked, [ HOSTILE ] );
	assert.deepEqual( Object.keys( Object.prototype ), [] );
} );
