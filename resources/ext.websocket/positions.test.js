import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOSTILE } from '../hostile.testing.js';
import { open } from './page.testing.js';
import { Positions, seconds } from './positions.js';

/**
 * What the page has told the host of a type since the last call.
 *
 * @param {Object} p
 * @return {Array} the members "since"
 */
function since( p ) {
	return p.posted.splice( 0 ).filter( ( { op } ) => op === 'subscribe' ).map( ( subscribe ) => subscribe.since );
}

const message = ( offset ) => ( { op: 'message', data: { type: 'A', msg: offset, offset } } );
const at = ( offset ) => ( { op: 'position', type: 'A', epoch: 'E', offset } );

test( 'a page goes on from where it was with another host', () => {
	const p = open();
	p.up();
	p.api.subscribe( 'A', () => {} );
	p.api.subscribe( 'B', () => {} );
	assert.deepEqual( since( p ), [ undefined, undefined ] );
	p.receive( at( 5 ) );
	p.receive( message( 7 ) );
	p.receive( at( 6 ) ); // older news
	p.receive( { op: 'position', type: 'C', epoch: 'E', offset: 1 } ); // nobody wants it any more
	p.receive( { op: 'lost' } );
	p.receive( { op: 'welcome' } );
	assert.deepEqual( since( p ), [ { epoch: 'E', offset: 7 }, undefined ] );
	p.receive( { op: 'position', type: 'A', epoch: 'F', offset: 2 } );
	p.hide();
	p.show();
	p.receive( { op: 'welcome' } );
	assert.deepEqual( since( p ), [ { epoch: 'F', offset: 2 }, undefined ] );
} );

test( 'a type that is subscribed anew begins anew', () => {
	const p = open();
	p.up();
	const stop = p.api.subscribe( 'A', () => {} );
	p.receive( at( 5 ) );
	stop();
	p.receive( message( 6 ) );
	since( p );
	p.api.subscribe( 'A', () => {} );
	assert.deepEqual( since( p ), [ undefined ] );
} );

test( 'messages since a time', () => {
	const p = open();
	p.up();
	p.api.subscribe( 'A', () => {}, { since: new Date( 1700000000999 ) } );
	assert.deepEqual( since( p ), [ { time: 1700000000 } ] );
	p.receive( { op: 'welcome' } ); // before anything came
	assert.deepEqual( since( p ), [ { time: 1700000000 } ] );
	p.receive( message( 3 ) ); // from where it counts is told next
	p.receive( at( 3 ) );
	p.receive( { op: 'welcome' } );
	assert.deepEqual( since( p ), [ { epoch: 'E', offset: 3 } ] );
} );

test( 'what is no time is said, and nothing is subscribed', () => {
	for ( const [ value, want ] of [ [ undefined, 0 ], [ null, 0 ], [ 0.5, 1 ], [ 1700000000.9, 1700000000 ], [ new Date( 5000 ), 5 ] ] ) {
		assert.equal( seconds( value ), want );
	}
	const p = open();
	p.up();
	for ( const value of [ 0, -1, NaN, Infinity, 1700000000000, '1700000000', {}, new Date( 'never' ) ] ) {
		assert.ok( isNaN( seconds( value ) ), String( value ) );
		p.api.subscribe( 'A', () => {}, { since: value } )();
		assert.equal( p.logs.pop(), 'subscribe: since is neither a Date nor Unix time in seconds' );
	}
	assert.deepEqual( since( p ), [] );
} );

test( 'a callback that wants more from before gets it alone', () => {
	const p = open();
	const first = [];
	const second = [];
	p.up();
	p.api.subscribe( 'A', ( { msg } ) => first.push( msg ) );
	p.receive( at( 5 ) );
	p.receive( message( 6 ) );
	since( p );
	p.api.subscribe( 'A', ( { msg } ) => second.push( msg ), { since: 1700000000 } );
	assert.deepEqual( since( p ), [ { time: 1700000000 } ] );
	p.receive( message( 4 ) );
	p.receive( at( 4 ) );
	[ 5, 6, 7 ].forEach( ( offset ) => p.receive( message( offset ) ) );
	assert.deepEqual( [ first, second ], [ [ 6, 7 ], [ 4, 5, 6, 7 ] ] );
	p.receive( message( 7 ) ); // the host decides what comes: one that polls has no order
	assert.equal( first.length, 3 );
	p.receive( { op: 'welcome' } );
	assert.deepEqual( since( p ), [ { epoch: 'E', offset: 7 } ] );
} );

test( 'a callback that wants more from before while there is no host', async () => {
	const p = open();
	const missed = [];
	p.api.missed( ( type ) => missed.push( type ) );
	p.api.subscribe( 'A', () => {} );
	p.api.subscribe( 'A', () => {}, { since: 2000 } );
	p.api.subscribe( 'A', () => {}, { since: 1000 } );
	p.api.subscribe( 'A', () => {}, { since: 3000 } );
	p.loaded();
	p.receive( { op: 'welcome' } );
	assert.deepEqual( since( p ), [ { time: 1000 } ] );
	p.receive( at( 5 ) );
	p.receive( { op: 'lost' } );
	p.api.subscribe( 'A', () => {}, { since: 2000 } );
	assert.deepEqual( missed, [] );
	await null;
	assert.deepEqual( missed, [ 'A' ] );
	p.receive( { op: 'welcome' } );
	assert.deepEqual( since( p ), [ { epoch: 'E', offset: 5 } ] );
} );

test( 'callbacks and the hook hear what was missed, of what the page wants', () => {
	const p = open();
	const missed = [];
	p.up();
	p.api.missed( ( type ) => missed.push( type ) );
	p.api.missed( 'no function' );
	p.api.subscribe( 'A', () => {} );
	p.events = [];
	p.receive( { op: 'missed', type: 'A' } );
	p.receive( { op: 'missed', type: 'B' } );
	assert.deepEqual( [ missed, p.events ], [ [ 'A' ], [ [ 'missed', 'A' ] ] ] );
} );

test( 'a page that is brought back goes on from what it has left, and any other begins anew', () => {
	const left = open();
	left.up();
	left.api.subscribe( 'A', () => {} );
	left.api.subscribe( 'B', () => {} );
	left.receive( at( 5 ) );
	left.document.hidden = true;
	left.look();
	const kept = left.stored.left;
	assert.deepEqual( kept, [ { url: 'https://wiki/A', had: [ [ 'A', { epoch: 'E', offset: 5 } ] ] } ] );
	left.receive( message( 6 ) );
	left.hide();
	assert.equal( left.stored.left[ 0 ].had[ 0 ][ 1 ].offset, 6 );

	for ( const [ options, want ] of [
		[ { returned: true }, { epoch: 'E', offset: 5 } ],
		[ { returned: false }, undefined ], // a reload: its HTML is new
		[ { returned: true, url: 'https://wiki/B' }, undefined ]
	] ) {
		const p = open( Object.assign( { store: ( name, value ) => value === undefined ? kept : undefined }, options ) );
		p.up();
		p.api.subscribe( 'A', () => {} );
		assert.deepEqual( since( p ), [ want ] );
		p.api.unsubscribe( 'A', () => {} );
	}
	const timed = open( { returned: true, store: () => kept } );
	timed.up();
	timed.api.subscribe( 'A', () => {}, { since: 7 } ); // who says what it has had knows better
	assert.deepEqual( since( timed ), [ { time: 7 } ] );
} );

test( 'the reader goes back over other pages of the wiki', () => {
	const stored = {};
	const store = ( name, value ) => {
		if ( value !== undefined ) {
			stored[ name ] = value;
		}
		return stored[ name ];
	};
	const leave = ( url, offset ) => {
		const page = new Positions( store, url, false );
		page.begin( 'A', 0 );
		page.reach( 'A', 'E', offset );
		page.keep();
		page.keep(); // when it was hidden, and when it goes
	};
	const back = ( url ) => {
		const page = new Positions( store, url, true );
		page.begin( 'A', 0 );
		return page.since( 'A' );
	};
	for ( let i = 0; i < 12; i++ ) {
		leave( 'page ' + i, i );
	}
	leave( 'page 5', 20 );
	assert.deepEqual( [ 'page 11', 'page 5', 'page 2' ].map( ( url ) => back( url ).since.offset ), [ 11, 20, 2 ] );
	assert.deepEqual( back( 'page 1' ), {}, 'too long ago' );
	assert.equal( stored.left.length, 10 );
} );

test( 'what is left is bounded, and rubbish in its place does no harm', () => {
	let kept;
	const many = new Positions( ( name, value ) => {
		kept = value ? value[ 0 ] : kept;
	}, 'u', false );
	for ( let i = 0; i < 60; i++ ) {
		many.begin( 'A' + i, 0 );
		many.reach( 'A' + i, 'E', i );
	}
	many.keep();
	assert.equal( kept.had.length, 50 );
	assert.equal( kept.had[ 49 ][ 0 ], 'A59' );
	for ( const rubbish of [ undefined, null, 5, 'x', [], {}, { url: 'u' }, { url: 'u', had: {} }, { url: 'u', had: [ 5, null, [], [ 'A' ], [ 'A', 5 ] ] } ] ) {
		new Positions( () => rubbish, 'u', true ).keep();
		const positions = new Positions( () => [ null, rubbish ], 'u', true );
		positions.begin( 'A', 0 );
		assert.deepEqual( positions.since( 'A' ), {} );
	}
} );

test( 'positions are kept by names, whatever they are called', () => {
	const p = open();
	p.up();
	for ( const type of HOSTILE ) {
		p.receive( { op: 'position', type, epoch: 'E', offset: 1 } );
		p.api.subscribe( type, () => {} );
		p.receive( { op: 'position', type, epoch: 'E', offset: 1 } );
	}
	p.hide();
	assert.deepEqual( p.stored.left[ 0 ].had.map( ( [ type ] ) => type ).sort(), HOSTILE.slice().sort() );
	assert.deepEqual( Object.keys( Object.prototype ), [] );
} );
