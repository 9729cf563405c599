import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOSTILE } from '../hostile.testing.js';
import { decode, encodeBody, encodeCommand, encodeMessage, recipients } from './frames.js';

test( 'commands have only the members that they need', () => {
	assert.equal( encodeCommand( 1, 'connect', '', '', 'T', [ 'WS1', 'WS2' ] ), '{"op":"connect","id":1,"token":"T","clients":["WS1","WS2"]}' );
	assert.equal( encodeCommand( 2, 'connect', '', '', '', [] ), '{"op":"connect","id":2,"clients":[]}' );
	assert.equal( encodeCommand( 3, 'subscribe', 'a"\\b', '', '', [] ), '{"op":"subscribe","id":3,"type":"a\\"\\\\b"}' );
	assert.equal( encodeCommand( 4, 'subscribe', 'A', '', 'T', [] ), '{"op":"subscribe","id":4,"type":"A","token":"T"}' );
	assert.equal( encodeCommand( 0, 'release', '', 'WS1', '', [] ), '{"op":"release","client":"WS1"}' );
	assert.equal( encodeCommand( 0, 'ping', '', '', '', [] ), '{"op":"ping"}' );
	assert.equal( encodeCommand( 5, 'subscribe', 'A', '', '', [], { epoch: 'E', offset: 0 }, null ),
		'{"op":"subscribe","id":5,"type":"A","since":{"epoch":"E","offset":0}}' );
	assert.equal( encodeCommand( 6, 'subscribe', 'A', '', '', [], { time: 5 }, null ), '{"op":"subscribe","id":6,"type":"A","since":{"time":5}}' );
	assert.equal( encodeCommand( 7, 'presence', 'A', '', '', [], null, null ), '{"op":"presence","id":7,"type":"A"}' );
	assert.equal( encodeCommand( 8, 'presence', 'A', '', '', [], null, true ), '{"op":"presence","id":8,"type":"A","follow":true}' );
	assert.equal( encodeCommand( 9, 'presence', 'A', '', '', [], null, false ), '{"op":"presence","id":9,"type":"A","follow":false}' );
} );

test( 'a message goes on as it was written', () => {
	const json = '{"b": 1.0, "a": "\\u00e9"}';
	const { body, bytes } = encodeBody( 'WS1', { type: 'ä', to: [], json }, 'K-1' );
	const frame = encodeMessage( 7, body );
	assert.equal( frame, '{"id":7,"op":"send","type":"ä","key":"K-1","from":"WS1","to":"","msg":' + json + '}' );
	assert.equal( bytes, Buffer.byteLength( frame ) - '{"id":7,'.length );
	assert.match( encodeBody( 'WS1', { type: 'A', to: [ 'WS2' ], json } ).body, /"to":\["WS2"\]/ );
} );

test( 'frames are told apart', () => {
	const read = ( text ) => JSON.parse( JSON.stringify( decode( text ) ) ); // without members that are undefined
	assert.deepEqual( read( '{"id":1,"ok":{"session":"S","wiki":"w:","user":"Ann","ping":25,"expires":9}}' ),
		{ id: 1, reply: true, wiki: 'w:', user: 'Ann', ping: 25 } );
	assert.deepEqual( read( '{"id":1,"ok":{"epoch":"E","offset":7,"recovered":true}}' ), { id: 1, reply: true, epoch: 'E', offset: 7, recovered: true } );
	assert.deepEqual( read( '{"id":1,"ok":{"users":["Ann"],"anonymous":2,"count":3,"__proto__":1}}' ),
		{ id: 1, reply: true, data: { users: [ 'Ann' ], anonymous: 2, count: 3 } } );
	assert.deepEqual( read( '{"op":"join","type":"A","user":"Ann"}' ), { op: 'join', type: 'A', data: { user: 'Ann' } } );
	assert.deepEqual( read( '{"op":"leave","type":"A","anonymous":0}' ), { op: 'leave', type: 'A', data: { anonymous: 0 } } );
	assert.deepEqual( read( '{"op":"join","type":"A","anonymous":2,"count":1200}' ), { op: 'join', type: 'A', data: { anonymous: 2, count: 1200 } } );
	assert.equal( decode( '{"id":1,"ok":{}}' ).reply, true );
	assert.deepEqual( decode( '{"id":2,"error":{"code":"forbidden","message":"no"}}' ), { id: 2, reply: true, error: 'forbidden', message: 'no' } );
	for ( const error of [ '{}', '{"code":5}', '{"code":""}', '{"code":{"toString":1}}', '[]', '"x"' ] ) {
		assert.equal( decode( '{"error":' + error + '}' ).error, 'internal', error );
	}
	assert.deepEqual( read( '{"op":"reconnect","after":1500}' ), { op: 'reconnect', after: 1500, data: {} } );
	assert.deepEqual( read( '{"op":"revoked","type":"A"}' ), { op: 'revoked', type: 'A', data: {} } );
	const data = { type: 'A', msg: { ok: {}, op: 'x' }, from: 'WS2', to: [ 'WS1' ], offset: 3, user: 'Ann', wiki: true };
	assert.deepEqual( decode( JSON.stringify( data ) ), { type: 'A', from: 'WS2', to: [ 'WS1' ], offset: 3, data } );
} );

test( 'what is no frame is none', () => {
	for ( const text of [ '', 'x', 'null', '1', '"op"', '{}', '[]', '{"msg":1}', '{"type":5}', '{"op":{}}', new ArrayBuffer( 2 ) ] ) {
		assert.equal( decode( text ), null, String( text ) );
	}
} );

test( 'recipients in each form', () => {
	for ( const to of [ undefined, null, false, 0, '', [], [ 0 ], '0' ] ) {
		assert.deepEqual( recipients( to ), [] );
	}
	assert.deepEqual( recipients( [ 'a', 5 ] ), [ 'a', '5' ] );
	assert.deepEqual( recipients( 'a, b,' ), [ 'a', 'b' ] );
	assert.deepEqual( recipients( 12 ), [ '12' ] );
} );

test( 'recipients that are no ids are nobody, and not everyone', () => {
	for ( const to of [ {}, true, [ {} ], [ null ], [ [ 'WS1' ] ], { toString: 1 }, [ { toString: 1 } ], JSON.parse( '{"__proto__":null}' ) ] ) {
		assert.deepEqual( recipients( to ), [ '?' ], JSON.stringify( to ) );
	}
} );

test( 'a frame cannot lend a page members that the relay did not set', () => {
	for ( const name of [ '__proto__', 'constructor', 'prototype', 'other' ] ) {
		const { data } = decode( '{"type":"A","msg":1,"' + name + '":{"user":"Admin","wiki":true}}' );
		assert.deepEqual( Object.keys( data ), [ 'type', 'msg' ], name );
		assert.equal( Object.getPrototypeOf( data ), Object.prototype );
		// As in the page.
		assert.equal( Object.assign( { msg: '' }, structuredClone( data ) ).user, undefined );
	}
	assert.equal( {}.user, undefined );
} );

test( 'names are only names and messages only data, whatever they are called', () => {
	for ( const name of HOSTILE ) {
		const json = JSON.stringify( { [ name ]: [ name ], msg: name } );
		const { body } = encodeBody( 'WS1', { type: name, to: [ 'WS ' + name ], json } );
		const frame = decode( encodeMessage( 1, body ).replace( '"op":"send",', '' ) );
		assert.equal( frame.type, name );
		assert.deepEqual( frame.to, [ 'WS ' + name ] );
		assert.equal( JSON.stringify( frame.data.msg ), json );
		assert.deepEqual( decode( JSON.stringify( { op: name, type: name } ) ), { op: name, after: undefined, type: name, data: { anonymous: undefined } } );
		assert.deepEqual( JSON.parse( encodeCommand( 1, 'subscribe', name, '', name, [] ) ), { op: 'subscribe', id: 1, type: name, token: name } );
		assert.equal( decode( JSON.stringify( { type: 'A', user: name } ) ).data.user, name );
	}
	assert.deepEqual( Object.keys( Object.prototype ), [] );
} );
