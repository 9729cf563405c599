import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeTimers } from '../timers.testing.js';
import { open } from './page.testing.js';

test( 'a hundred messages wait for the host, then the oldest goes', () => {
	const p = open();
	for ( let i = 0; i < 100; i++ ) {
		p.api.send( 'A' + i, 1 );
	}
	assert.deepEqual( p.events, [] );
	p.api.send( 'A100', 1 );
	assert.deepEqual( p.events.map( ( [ name, value ] ) => [ name, value.type, value.code ] ), [ [ 'error', 'A0', 'limit' ] ] );
	p.loaded();
	p.receive( { op: 'welcome' } );
	const sent = p.took().filter( ( line ) => line.startsWith( 'send' ) );
	assert.equal( sent.length, 100 );
	assert.equal( sent[ 0 ], 'send A1' );
} );

test( 'what is said to a host that lost its program is said again', () => {
	const p = open();
	p.up();
	p.api.subscribe( 'A', () => {} );
	p.took();
	p.receive( { op: 'lost' } );
	p.api.subscribe( 'B', () => {} );
	p.api.send( 'C', 1 );
	assert.deepEqual( p.took(), [] );
	p.receive( { op: 'welcome' } );
	assert.deepEqual( p.took(), [ 'hello', 'subscribe A', 'subscribe B', 'send C', 'locked' ] );
} );

test( 'a page without a way says so once and lets others poll', () => {
	const p = open();
	let off = 0;
	p.api.disconnected( () => off++ );
	p.api.send( 'A', 1 );
	p.loaded();
	p.failed( 'policy' );
	assert.deepEqual( p.logs, [ 'no connection from this page: policy' ] );
	assert.deepEqual( [ p.api.connect(), p.api.active(), p.api.connected(), off ], [ false, false, false, 1 ] );
	p.show();
	assert.equal( p.starts, 1 );
} );

test( 'errors go to the console and to the hook', () => {
	const p = open();
	p.up();
	p.receive( { op: 'error', about: 'send', type: 'A', code: 'forbidden', message: 'no' } );
	assert.deepEqual( p.logs, [ 'send A: no' ] );
	assert.deepEqual( p.events.pop(), [ 'error', { about: 'send', type: 'A', code: 'forbidden', message: 'no' } ] );
} );

test( 'each message that was too much is an event, and the console has one line', () => {
	const p = open();
	p.up();
	for ( let i = 0; i < 50; i++ ) {
		p.receive( { op: 'error', about: 'send', type: 'A', code: 'rate-limited', message: 'too fast' } );
	}
	assert.equal( p.events.filter( ( [ name, { code } ] ) => name === 'error' && code === 'rate-limited' ).length, 50 );
	assert.deepEqual( p.logs, [ 'send A: too fast' ] );
	p.receive( { op: 'error', about: 'send', type: 'B', code: 'rate-limited', message: 'too fast' } );
	p.receive( { op: 'error', about: 'send', type: 'A', code: 'rate-limited', message: 'too fast' } );
	assert.equal( p.logs.length, 3 );
} );

test( 'a handler that sends again what failed does not do so for ever', () => {
	let p;
	let errors = 0;
	const event = ( name, value ) => {
		if ( name === 'error' ) {
			errors++;
			p.api.send( value.type, 1 );
			p.api.send( 'report', value.code );
		}
	};
	p = open( { event } );
	p.up();
	p.receive( { op: 'error', about: 'send', type: 'A', code: 'rate-limited', message: 'too fast' } );
	assert.deepEqual( p.took(), [ 'send report' ] );
	p.receive( { op: 'error', about: 'subscribe', type: 'A', code: 'forbidden', message: 'no' } );
	assert.deepEqual( p.took(), [ 'send A', 'send report' ] );
	p.api.send( 'A', 1 );
	assert.deepEqual( [ p.took(), errors ], [ [ 'send A' ], 2 ] );

	p = open( { event } ); // and while everything waits
	errors = 0;
	for ( let i = 0; i < 200; i++ ) {
		p.api.send( 'A', i );
	}
	assert.equal( errors, 100 );
} );

test( 'who lost a right is left in peace: one line, and no more tries', () => {
	const p = open();
	let off = 0;
	p.up();
	p.api.disconnected( () => off++ );
	p.receive( { op: 'disconnected', code: 4401, reason: 'token expired or revoked', retry: true } );
	assert.deepEqual( [ off, p.warnings, p.api.active() ], [ 1, [], true ] );
	p.receive( { op: 'disconnected', code: 4401, reason: 'the wiki gives no token', retry: false } );
	p.receive( { op: 'disconnected', code: 4401, reason: 'the wiki gives no token', retry: false } );
	assert.deepEqual( [ off, p.warnings, p.logs ], [ 1, [ 'disconnected: the wiki gives no token' ], [] ] );
	assert.deepEqual( p.events.filter( ( [ name ] ) => name === 'disconnected' ).length, 1 );
	assert.deepEqual( [ p.api.active(), p.api.connected() ], [ false, false ] );
	p.receive( { op: 'connected' } ); // another page began anew
	assert.deepEqual( [ p.api.active(), p.api.connected() ], [ true, true ] );
} );

test( 'the host gets subscription tokens, and the console no names', async () => {
	const p = open();
	p.up();
	p.receive( { op: 'grants', types: [ 'of another tab' ], refused: [ 'of another tab' ] } );
	await null;
	assert.deepEqual( p.posted, [ {
		op: 'granted', tokens: [ { type: 'of another tab', token: 'T', expires: 5 } ], refused: [ [ 'of another tab' ] ], final: false, client: 'WS1'
	} ] );
	assert.deepEqual( [ p.logs, p.warnings, p.events.length ], [ [], [], 1 ] );
} );

test( 'a shared host that is gone is replaced', () => {
	const timers = fakeTimers();
	const p = open();
	p.up();
	p.receive( { op: 'lock', name: 'host 1' } );
	p.receive( { op: 'lock', name: 'host 1' } );
	const watched = p.locks.filter( ( lock ) => lock.name === 'host 1' );
	assert.equal( watched.length, 1 );
	watched[ 0 ].take();
	assert.equal( p.api.connected(), false );
	assert.equal( p.starts, 1 );
	timers.tick( 300 );
	assert.equal( p.starts, 2 );
	watched[ 0 ].take();
	timers.tick( 300 );
	assert.equal( p.starts, 2 );
	timers.restore();
} );

test( 'without Web Locks a shared host that falls silent is replaced', () => {
	const timers = fakeTimers();
	const p = open( { locks: undefined } );
	p.up();
	timers.tick( 149999 );
	p.receive( { op: 'ping' } );
	timers.tick( 149999 );
	assert.equal( p.api.connected(), true );
	assert.deepEqual( p.took(), [ 'pong' ] );
	timers.tick( 1 );
	assert.equal( p.api.connected(), false );
	timers.tick( 300 );
	assert.equal( p.starts, 2 );
	p.receive( { op: 'welcome' } );
	p.hide();
	timers.tick( 150300 );
	assert.equal( p.starts, 2 );
	timers.restore();
} );
