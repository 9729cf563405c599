import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeTimers } from '../timers.testing.js';
import { open } from './page.testing.js';

const answer = { users: [ 'Ann', 'Bob' ], anonymous: 2, count: 4 };

test( 'who is there is answered to the one who asked', async () => {
	const p = open();
	p.up();
	const ann = p.api.presence( 'A' );
	const bob = p.api.presence( 'B' );
	assert.deepEqual( p.posted, [ { op: 'presence', id: 1, type: 'A', client: 'WS1' }, { op: 'presence', id: 2, type: 'B', client: 'WS1' } ] );
	p.receive( { op: 'presence', id: 2, data: undefined, code: 'forbidden', message: 'no' } );
	p.receive( { op: 'presence', id: 1, data: answer, code: '', message: '' } );
	p.receive( { op: 'presence', id: 1, data: {}, code: '', message: '' } );
	p.receive( { op: 'presence', id: 9, data: {}, code: '', message: '' } );
	assert.deepEqual( await ann, answer );
	await assert.rejects( bob, ( error ) => error instanceof Error && error.code === 'forbidden' && error.message === 'no' );
} );

test( 'a question waits for the connection, is asked again on the next, and not for ever', async () => {
	const timers = fakeTimers();
	const p = open();
	const asked = p.api.presence( 'A' );
	p.loaded();
	p.receive( { op: 'welcome' } );
	p.receive( { op: 'connected' } );
	p.receive( { op: 'disconnected' } );
	p.receive( { op: 'connected' } );
	assert.deepEqual( p.took().filter( ( line ) => line.startsWith( 'presence' ) ), [ 'presence A', 'presence A' ] );
	timers.tick( 9999 );
	p.receive( { op: 'presence', id: 1, data: answer, code: '', message: '' } );
	assert.deepEqual( await asked, answer );
	const late = p.api.presence( 'A' );
	timers.tick( 10000 );
	await assert.rejects( late, { code: 'unavailable' } );
	p.took();
	p.receive( { op: 'disconnected' } );
	p.receive( { op: 'connected' } );
	assert.deepEqual( p.took(), [] );
	timers.restore();
} );

test( 'a question that cannot be asked is refused at once', async () => {
	const p = open();
	await assert.rejects( p.api.presence( '' ), { code: 'bad-request' } );
	await assert.rejects( open( { able: false } ).api.presence( 'A' ), { code: 'unavailable' } );
	assert.equal( p.carrier, undefined );
	p.up();
	p.receive( { op: 'transport', name: 'api' } ); // a wiki without a relay
	await assert.rejects( p.api.presence( 'A' ), { code: 'unavailable' } );
	assert.deepEqual( p.took(), [] );
} );

test( 'who comes and goes is told to those who want to know, while they do', () => {
	const p = open();
	const heard = [];
	const note = ( data ) => heard.push( data );
	p.up();
	const stops = [ p.api.joined( 'A', note ), p.api.joined( 'A', note ), p.api.left( 'A', note ) ];
	assert.deepEqual( p.took(), [ 'follow A' ] );
	p.receive( { op: 'join', type: 'A', data: { user: 'Ann' } } );
	p.receive( { op: 'leave', type: 'A', data: { anonymous: 1 } } );
	p.receive( { op: 'leave', type: 'B', data: { anonymous: 1 } } );
	assert.deepEqual( heard, [ { user: 'Ann' }, { anonymous: 1 } ] );
	p.receive( { op: 'lost' } );
	p.receive( { op: 'welcome' } );
	assert.deepEqual( p.took().filter( ( line ) => line.startsWith( 'follow' ) ), [ 'follow A' ] );
	stops[ 0 ]();
	stops[ 1 ]();
	p.receive( { op: 'join', type: 'A', data: { user: 'Bob' } } );
	assert.equal( heard.length, 2 );
	assert.deepEqual( p.took(), [] );
	stops[ 2 ]();
	stops[ 2 ]();
	assert.deepEqual( p.took(), [ 'unfollow A' ] );
	p.api.left( 'A', note );
	assert.deepEqual( p.took(), [ 'follow A' ] );
} );

test( 'what cannot be followed is said', () => {
	const p = open();
	p.up();
	p.api.joined( '', () => {} )();
	p.api.left( 'A', 'no function' )();
	assert.deepEqual( [ p.took(), p.logs.length ], [ [], 2 ] );
	p.receive( { op: 'error', about: 'presence', type: 'A', code: 'forbidden', message: 'no' } );
	assert.equal( p.events.pop()[ 1 ].about, 'presence' );
} );

test( 'how the page is connected, and for the next host what works', () => {
	const p = open();
	assert.equal( p.api.transport(), '' );
	p.api.connect();
	p.loaded();
	p.receive( { op: 'welcome' } );
	p.receive( { op: 'transport', name: 'sse' } );
	assert.equal( p.api.transport(), '' );
	p.receive( { op: 'connected' } );
	assert.equal( p.api.transport(), 'sse' );
	assert.equal( p.stored.transport, 'sse' );
	p.receive( { op: 'disconnected' } );
	assert.equal( p.api.transport(), '' );
} );

test( 'the host hears that the page runs again', () => {
	const p = open();
	p.woke();
	p.up();
	p.woke();
	assert.deepEqual( p.took(), [ 'woke' ] );
} );
