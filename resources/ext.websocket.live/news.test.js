import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clock, nothing, say, take, wanted } from './news.js';

const reader = { revision: 10, user: 'Reader', time: 0 };
const time = ( iso ) => iso;
const edit = ( rev, user ) => ( { event: 'edit', page: 7, rev, user: user || 'Ann', time: 'T' + rev } );
const after = ( ...events ) => events.reduce( ( news, event ) => take( news, event, reader ), nothing() );

test( 'what is no news for this reader', () => {
	const none = nothing();
	for ( const event of [
		edit( 9 ), edit( 10 ), edit( 11, 'Reader' ), { event: 'log', user: 'Ann' }, { event: 'delete', user: 'Reader' },
		{ event: 'move', rev: 10, user: 'Ann' }, { event: '__proto__' }, {}, null, '', 'text', { event: 'edit', user: 'Ann' }
	] ) {
		assert.equal( take( none, event, reader ), none, JSON.stringify( event ) );
	}
	// Nobody is the same as anybody.
	assert.notEqual( take( none, Object.assign( edit( 11 ), { user: undefined } ), { revision: 10, user: null } ), none );
} );

test( 'one edit', () => {
	assert.deepEqual( say( after( edit( 11 ) ), time ), { key: 'websocket-live-edited', params: [ 'Ann', 'T11' ], changes: 11 } );
} );

test( 'several edits: how many, and the last', () => {
	assert.deepEqual( say( after( edit( 11 ), edit( 12, 'Bob' ), edit( 12 ), edit( 11 ) ), time ), {
		key: 'websocket-live-edited-many', params: [ 2, 'Bob', 'T12' ], changes: 12
	} );
} );

test( 'deleted, restored, edited again', () => {
	const gone = { event: 'delete', user: 'Ann', time: 'D' };
	const back = { event: 'restore', rev: 10, user: 'Bob', time: 'R' };
	assert.deepEqual( say( after( edit( 11 ), gone ), time ), { key: 'websocket-live-deleted', params: [ 'Ann', 'D' ], changes: 0 } );
	assert.deepEqual( say( after( gone, back ), time ), { key: 'websocket-live-restored', params: [ 'Bob', 'R' ], changes: 0 } );
	assert.equal( say( after( edit( 11 ), gone, back, edit( 13 ) ), time ).key, 'websocket-live-edited-many' );
} );

test( 'what was deleted and restored before the page was made is no news', () => {
	const late = { revision: 10, user: null, time: Date.parse( '2026-05-17T12:00:00Z' ) / 1000 };
	const gone = take( nothing(), { event: 'delete', user: 'Ann', time: '2026-05-17T11:59:10Z' }, late );
	assert.equal( gone.event.event, 'delete' );
	const back = { event: 'restore', rev: 10, user: 'Bob', time: '2026-05-17T11:59:20Z' };
	assert.equal( take( gone, back, late ).event, null );
	assert.equal( take( gone, Object.assign( back, { time: '2026-05-17T12:00:00Z' } ), late ).event.event, 'restore' );
} );

test( 'moved', () => {
	const move = { event: 'move', rev: 11, user: 'Ann', time: 'M', target: 'Talk:New_name' };
	assert.deepEqual( say( after( move ), time ), { key: 'websocket-live-moved', params: [ 'Ann', 'Talk:New name' ], changes: 0 } );
	assert.deepEqual( say( after( move, edit( 12 ) ), time ).params, [ 'Ann', 'T12' ] );
} );

test( 'a name that has been hidden is not shown any more', () => {
	const hide = ( revs, hidden ) => ( { event: 'visibility', page: 7, revs, hidden } );
	assert.deepEqual( say( after( edit( 11 ), hide( [ 3, 11 ], [ 'text', 'user' ] ) ), time ), {
		key: 'websocket-live-edited-nameless', params: [ 'T11' ], changes: 11
	} );
	assert.deepEqual( say( after( edit( 11 ), edit( 12, 'Bob' ), hide( [ 12 ], [ 'user' ] ) ), time ), {
		key: 'websocket-live-edited-many-nameless', params: [ 2, 'T12' ], changes: 12
	} );
	const move = { event: 'move', rev: 11, user: 'Ann', time: 'M', target: 'New_name' };
	assert.deepEqual( say( after( move, hide( [ 11 ], [ 'user' ] ) ), time ), {
		key: 'websocket-live-moved-nameless', params: [ 'New name' ], changes: 0
	} );
	// The next one has a name again.
	assert.deepEqual( say( after( edit( 11 ), hide( [ 11 ], [ 'user' ] ), edit( 12, 'Bob' ) ), time ).params, [ 2, 'Bob', 'T12' ] );
} );

test( 'what is hidden elsewhere changes nothing', () => {
	const seen = after( edit( 11 ) );
	const gone = after( { event: 'delete', user: 'Ann', time: 'D', rev: 11 } );
	for ( const change of [
		{ revs: [ 10, 12 ], hidden: [ 'user' ] }, { revs: [ 11 ], hidden: [ 'text', 'comment' ] }, { revs: [ 11 ], hidden: [] },
		{ revs: [ 11 ] }, { hidden: [ 'user' ] }, { revs: 11, hidden: 'user' }, {}
	] ) {
		const event = Object.assign( { event: 'visibility' }, change );
		assert.equal( take( seen, event, reader ), seen, JSON.stringify( change ) );
	}
	assert.equal( take( gone, { event: 'visibility', revs: [ 11 ], hidden: [ 'user' ] }, reader ), gone );
	const none = nothing();
	assert.equal( take( none, { event: 'visibility', revs: [ 11 ], hidden: [ 'user' ] }, reader ), none );
} );

test( 'events of somebody whose name is not for everybody', () => {
	const nameless = ( event ) => say( after( Object.assign( edit( 11 ), event, { user: undefined } ) ), time );
	assert.deepEqual( nameless( {} ), { key: 'websocket-live-edited-nameless', params: [ 'T11' ], changes: 11 } );
	assert.equal( nameless( { event: 'delete' } ).key, 'websocket-live-deleted-nameless' );
	assert.deepEqual( nameless( { event: 'restore' } ).params, [ 'T11' ] );
	// Nor is the title that a page was moved to.
	const none = nothing();
	assert.equal( take( none, { event: 'move', rev: 11, user: 'Ann', time: 'M' }, reader ), none );
} );

test( 'times are written for the reader', () => {
	const now = new Date( 2026, 4, 17, 15, 30 );
	const write = clock( 'en-GB', () => now.getTime() );
	assert.equal( write( new Date( 2026, 4, 17, 9, 5 ).toISOString() ), '09:05' );
	assert.match( write( new Date( 2026, 4, 16, 9, 5 ).toISOString() ), /^16 May 2026, 09:05$/ );
	assert.equal( write( 'never' ), '' );
	assert.notEqual( clock( 'not a language', () => 0 )( '2026-01-01T00:00:00Z' ), '' );
} );

test( 'the bar is only for readers of the current text', () => {
	const config = { wgAction: 'view', wgArticleId: 7, wgRevisionId: 10, wgCurRevisionId: 10, wgDiffNewId: undefined };
	const with1 = ( change ) => wanted( ( name ) => Object.assign( {}, config, change )[ name ] );
	assert.equal( with1( {} ), true );
	for ( const change of [
		{ wgAction: 'history' }, { wgArticleId: 0 }, { wgRevisionId: 9 }, { wgRevisionId: 0, wgCurRevisionId: 0 }, { wgDiffNewId: 10 }
	] ) {
		assert.equal( with1( change ), false, JSON.stringify( change ) );
	}
} );
