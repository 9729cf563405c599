import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOSTILE } from '../hostile.testing.js';
import { open } from './page.testing.js';

test( 'nothing happens before the first use, and then not before the page has loaded', () => {
	for ( const use of [
		( api ) => api.connect(), ( api ) => api.subscribe( 'A', () => {} ), ( api ) => api.send( 'A', 1 )
	] ) {
		const p = open();
		p.api.connected( () => {} );
		p.api.disconnected( () => {} );
		assert.equal( p.api.connected(), false );
		assert.equal( p.api.active(), false );
		assert.equal( p.carrier, undefined );
		use( p.api );
		assert.equal( p.starts, 0 );
		assert.equal( p.api.active(), true );
		p.loaded();
		assert.equal( p.starts, 1 );
		p.api.connect();
		assert.equal( p.starts, 1 );
	}
} );

test( 'connect says at once whether the browser can', () => {
	assert.equal( open().api.connect(), true );
	const p = open( { able: false } );
	assert.equal( p.api.connect(), false );
	p.api.subscribe( 'A', () => {} );
	p.api.send( 'A', 1 );
	assert.deepEqual( [ p.api.active(), p.api.connected(), p.carrier, p.logs ], [ false, false, undefined, [] ] );
} );

test( 'a page introduces itself with what it wants and what it has to say, in this order', () => {
	const p = open();
	p.api.subscribe( 'A', () => {} );
	p.api.subscribe( 'A', () => {} );
	p.api.send( 'B', { x: 1 }, [ 'WS2' ] );
	p.loaded();
	assert.deepEqual( p.posted, [] );
	p.receive( { op: 'welcome' } );
	assert.deepEqual( p.posted, [
		{ op: 'hello', url: 'ws://relay/', token: 'T', client: 'WS1' },
		{ op: 'subscribe', type: 'A', client: 'WS1' },
		{ op: 'send', type: 'B', to: [ 'WS2' ], json: '{"x":1}', client: 'WS1' },
		{ op: 'locked', client: 'WS1' }
	] );
	p.took();
	p.receive( { op: 'welcome' } );
	assert.deepEqual( p.took(), [ 'hello', 'subscribe A', 'locked' ] );
} );

test( 'callbacks get the envelope, with what it lacks', () => {
	const p = open();
	const got = [];
	p.up();
	p.api.subscribe( 'A', ( data ) => got.push( data ) );
	p.receive( { op: 'message', data: { type: 'A' } } );
	p.receive( { op: 'message', data: { type: 'A', msg: null, from: 'WS2', to: [ 'WS1' ], user: 'Ann', wiki: true, offset: 7 } } );
	p.receive( { op: 'message', data: { type: 'B', msg: 1 } } );
	assert.deepEqual( got, [
		{ type: 'A', msg: '', from: '', to: '' },
		{ type: 'A', msg: null, from: 'WS2', to: [ 'WS1' ], user: 'Ann', wiki: true, offset: 7 }
	] );
} );

test( 'types are only names, whatever they are called', () => {
	const p = open();
	const got = [];
	p.up();
	for ( const type of HOSTILE ) {
		const message = { type, msg: { [ type ]: type }, from: type, user: type };
		p.receive( { op: 'message', data: message } ); // nobody has subscribed, nor has Object.prototype
		p.api.subscribe( type, ( data ) => got.push( data ) );
		p.receive( { op: 'message', data: structuredClone( message ) } );
		assert.deepEqual( got.splice( 0 ), [ Object.assign( { to: '' }, message ) ] );
		p.api.send( type, message.msg, [ type ] );
		const sent = p.posted.pop();
		assert.deepEqual( [ sent.type, sent.json ], [ type, JSON.stringify( message.msg ) ] );
		p.receive( { op: 'error', about: 'subscribe', type, code: type, message: type } );
		assert.deepEqual( p.events.pop()[ 1 ], { about: 'subscribe', type, code: type, message: type } );
		p.api.unsubscribe( type, () => {} );
	}
	assert.deepEqual( Object.keys( Object.prototype ), [] );
	assert.equal( {}.polluted, undefined );
	assert.deepEqual( Object.keys( p.document ), [ 'hidden' ] ); // nothing of it is shown
} );

test( 'a callback counts once for a type, and not after it has ended', () => {
	const p = open();
	let calls = 0;
	const callback = () => calls++;
	p.up();
	const end = p.api.subscribe( 'A', callback );
	p.api.subscribe( 'A', callback );
	p.receive( { op: 'message', data: { type: 'A' } } );
	assert.equal( calls, 1 );
	end();
	end();
	p.api.unsubscribe( 'A', callback );
	p.api.unsubscribe( 'B', callback );
	p.receive( { op: 'message', data: { type: 'A' } } );
	assert.equal( calls, 1 );
	assert.deepEqual( p.took(), [ 'subscribe A', 'unsubscribe A' ] );
} );

test( 'a type is wanted until its last callback has ended', () => {
	const p = open();
	p.up();
	const ends = [ p.api.subscribe( 'A', () => {} ), p.api.subscribe( 'A', () => {} ) ];
	ends[ 0 ]();
	assert.deepEqual( p.took(), [ 'subscribe A' ] );
	ends[ 1 ]();
	assert.deepEqual( p.took(), [ 'unsubscribe A' ] );
} );

test( 'a callback that throws is reported and stops no other', () => {
	const p = open();
	const error = new Error( 'of a gadget' );
	const fail = () => {
		throw error;
	};
	let calls = 0;
	p.up();
	p.api.subscribe( 'A', fail );
	p.api.subscribe( 'A', () => calls++ );
	p.api.disconnected( fail );
	p.api.disconnected( () => calls++ );
	p.api.connected( fail );
	p.receive( { op: 'message', data: { type: 'A' } } );
	p.receive( { op: 'disconnected' } );
	assert.equal( calls, 2 );
	assert.deepEqual( p.reports, [ error, error, error ] );
} );

test( 'a callback that another one ends is not called any more', () => {
	const p = open();
	const calls = [];
	p.up();
	p.api.subscribe( 'A', () => {
		calls.push( 1 );
		end();
		p.api.subscribe( 'A', () => calls.push( 3 ) );
	} );
	const end = p.api.subscribe( 'A', () => calls.push( 2 ) );
	p.receive( { op: 'message', data: { type: 'A' } } );
	assert.deepEqual( calls, [ 1 ] );
} );

test( 'names of events are checked', () => {
	const p = open();
	const ok = [ 'a', 'x'.repeat( 255 ), 'é'.repeat( 127 ) ];
	const bad = [ '', undefined, null, 5, {}, 'a\u0000', 'a\n', 'a\u007f', 'a\u009f', '\ud800', 'x'.repeat( 256 ), 'é'.repeat( 128 ) ];
	p.up();
	ok.forEach( ( type ) => p.api.subscribe( type, () => {} ) );
	assert.equal( p.took().length, ok.length );
	bad.forEach( ( type ) => {
		p.api.subscribe( type, () => {} )();
		p.api.send( type, 1 );
	} );
	p.api.subscribe( 'A', 'no function' )();
	assert.deepEqual( p.took(), [] );
	assert.equal( p.logs.length, 2 * bad.length + 1 );
} );

test( 'recipients come in many forms', () => {
	const p = open();
	p.up();
	for ( const to of [ undefined, null, false, 0, '', [], [ 0 ], '0', ' ' ] ) {
		p.api.send( 'A', 1, to );
	}
	assert.ok( p.posted.every( ( m ) => m.to.length === 0 ) );
	p.posted = [];
	p.api.send( 'A', 1, 'WS2, WS3' );
	p.api.send( 'A', 1, [ 'WS2', 'WS3' ] );
	assert.deepEqual( p.posted.map( ( m ) => m.to ), [ [ 'WS2', 'WS3' ], [ 'WS2', 'WS3' ] ] );
} );

test( 'a message is what JSON makes of it', () => {
	const p = open();
	p.up();
	p.api.send( 'A' );
	p.api.send( 'A', null );
	p.api.send( 'A', () => {} );
	p.api.send( 'A', [ undefined, new Date( 0 ) ] );
	assert.deepEqual( p.posted.map( ( m ) => m.json ), [ '""', 'null', '""', '[null,"1970-01-01T00:00:00.000Z"]' ] );
	const cycle = [];
	cycle.push( cycle );
	assert.throws( () => p.api.send( 'A', cycle ), TypeError );
} );

test( 'callbacks hear of each change of the connection, once', () => {
	const p = open();
	const heard = [];
	p.api.connected( () => heard.push( 'on' ) );
	p.api.disconnected( () => heard.push( 'off' ) );
	p.api.connect();
	p.loaded();
	p.receive( { op: 'welcome' } );
	p.receive( { op: 'disconnected' } ); // the first attempt failed
	p.receive( { op: 'disconnected' } );
	p.receive( { op: 'connected' } );
	p.receive( { op: 'connected' } );
	assert.equal( p.api.connected( () => heard.push( 'late' ) ), true );
	p.receive( { op: 'lost' } );
	p.receive( { op: 'disconnected' } );
	assert.equal( p.api.connected(), false );
	assert.deepEqual( heard, [ 'off', 'on', 'late', 'off' ] );
	assert.deepEqual( p.events.map( ( [ name ] ) => name ), [ 'disconnected', 'connected', 'disconnected' ] );
	assert.equal( p.events[ 0 ][ 1 ], p.api );
} );

test( 'the host gets tokens and signs of life', async () => {
	const p = open();
	p.up();
	p.receive( { op: 'ping' } );
	p.receive( { op: 'token', refused: true } );
	await null;
	assert.deepEqual( p.posted, [ { op: 'pong', client: 'WS1' }, { op: 'token', token: 'Ttrue', expires: 5, client: 'WS1' } ] );
} );

test( 'the host knows whether the page can be seen', () => {
	const p = open();
	p.document.hidden = true;
	p.api.connect();
	p.loaded();
	p.receive( { op: 'welcome' } );
	p.look();
	p.document.hidden = false;
	p.look();
	p.look();
	assert.deepEqual( p.posted.filter( ( m ) => m.op === 'visible' ).map( ( m ) => m.visible ), [ false, true ] );
} );

test( 'a page that is put away says bye, and comes back', async () => {
	const p = open();
	p.up();
	p.api.subscribe( 'A', () => {} );
	p.took();
	p.hide();
	await null;
	assert.deepEqual( p.took(), [ 'bye' ] );
	assert.equal( p.locks[ 0 ].released, true );
	p.show();
	assert.equal( p.api.connected(), false );
	assert.equal( p.starts, 2 );
	p.receive( { op: 'welcome' } );
	assert.deepEqual( p.took(), [ 'hello', 'subscribe A', 'locked' ] );

	p.carrier.shared = false; // a worker of its own comes back with the page
	p.hide();
	p.took();
	p.show();
	assert.equal( p.starts, 2 );
	assert.deepEqual( p.took().slice( 0, 2 ), [ 'hello', 'subscribe A' ] );
} );

test( 'methods need no this', () => {
	const { connect, connected, subscribe, clientID } = open().api;
	assert.equal( connect(), true );
	assert.equal( connected(), false );
	assert.equal( typeof subscribe( 'A', () => {} ), 'function' );
	assert.equal( clientID(), 'WS1' );
} );
