import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catchUp, events, question } from './current.js';
import { isSame, nothing, say, take } from './news.js';

const shown = { page: 7, name: 'Talk:Some_page', revision: 10 };
const revision = ( revid, user ) => ( { revid, parentid: revid - 1, user, timestamp: 'T' + revid } );
const page = ( members ) => ( { query: { pages: [ Object.assign( { pageid: 7, title: 'Talk:Some page' }, members ) ], logevents: [] } } );
const bar = ( answer, user ) => {
	const reader = { revision: 10, user: user || null, time: 0 };
	const news = events( answer, shown ).reduce( ( old, event ) => take( old, event, reader ), nothing() );
	return news.event && say( news, ( time ) => time );
};

test( 'one question', () => {
	const asked = question( shown );
	assert.deepEqual( [ asked.action, asked.pageids, asked.letitle ], [ 'query', 7, 'Talk:Some_page' ] );
} );

test( 'a page that is as it was says nothing', () => {
	assert.equal( bar( page( { revisions: [ revision( 10, 'Ann' ), revision( 9, 'Bob' ) ] } ) ), null );
	assert.equal( bar( page( {} ) ), null );
	assert.equal( bar( {} ), null );
	assert.equal( bar( { error: { code: 'readonly' } } ), null );
} );

test( 'one edit, several edits, who and when', () => {
	assert.deepEqual( bar( page( { revisions: [ revision( 11, 'Ann' ), revision( 10, 'Bob' ) ] } ) ),
		{ key: 'websocket-live-edited', params: [ 'Ann', 'T11' ], changes: 11 } );
	const two = page( { revisions: [ revision( 14, 'Ann' ), revision( 12, 'Bob' ), revision( 10, 'Bob' ) ] } );
	assert.deepEqual( bar( two ), { key: 'websocket-live-edited-many', params: [ 2, 'Ann', 'T14' ], changes: 14 } );
	assert.deepEqual( bar( two, 'Ann' ), { key: 'websocket-live-edited', params: [ 'Bob', 'T12' ], changes: 12 }, 'the own edit is no news' );
} );

test( 'a hidden name is not there', () => {
	assert.deepEqual( bar( page( { revisions: [ Object.assign( revision( 11 ), { userhidden: true } ) ] } ) ),
		{ key: 'websocket-live-edited-nameless', params: [ 'T11' ], changes: 11 } );
} );

test( 'more edits than the wiki tells are not counted', () => {
	const many = Array.from( { length: 50 }, ( none, i ) => revision( 100 - i, 'Ann' ) );
	assert.deepEqual( bar( page( { revisions: many } ) ), { key: 'websocket-live-edited', params: [ 'Ann', 'T100' ], changes: 100 } );
	assert.equal( bar( page( { revisions: many.slice( 1 ).concat( [ revision( 10, 'Bob' ) ] ) } ) ).params[ 0 ], 49 );
} );

test( 'deleted, by whom if that is known', () => {
	const gone = { query: { pages: [ { pageid: 7, missing: true } ], logevents: [ { user: 'Ann', timestamp: 'D' } ] } };
	assert.deepEqual( bar( gone ), { key: 'websocket-live-deleted', params: [ 'Ann', 'D' ], changes: 0 } );
	gone.query.logevents = [];
	assert.equal( bar( gone ).key, 'websocket-live-deleted-nameless' );
} );

test( 'moved, and edited before', () => {
	assert.deepEqual( bar( page( { title: 'Talk:New name', revisions: [ revision( 12, 'Ann' ), revision( 11, 'Bob' ) ] } ) ),
		{ key: 'websocket-live-moved-nameless', params: [ 'Talk:New name' ], changes: 0 } );
	assert.deepEqual( bar( page( { title: 'Talk:New name', revisions: [ revision( 10, 'Ann' ) ] } ) ).params, [ 'Talk:New name' ] );
} );

test( 'what is missed twice within a moment is asked for once, each reader at another time', async () => {
	const waits = [];
	const told = [];
	let asked = 0;
	const missed = catchUp( {
		shown,
		get: () => {
			asked++;
			return asked === 2 ? Promise.reject( new Error( 'no answer' ) ) : Promise.resolve( page( { revisions: [ revision( 11, 'Ann' ) ] } ) );
		},
		tell: ( list ) => told.push( ...list ),
		after: ( run, ms ) => waits.push( [ run, ms ] ),
		random: () => 0.75
	} );
	missed();
	missed();
	assert.deepEqual( [ waits.length, asked, waits[ 0 ][ 1 ] ], [ 1, 0, 1500 ] );
	waits.shift()[ 0 ]();
	await null;
	await null;
	assert.deepEqual( [ asked, told.map( ( { event, rev } ) => [ event, rev ] ) ], [ 1, [ [ 'edit', 11 ] ] ] );
	missed(); // the wiki does not answer
	waits.shift()[ 0 ]();
	await null;
	await null;
	missed();
	waits.shift()[ 0 ]();
	assert.deepEqual( [ asked, told.length ], [ 3, 1 ] );
} );

test( 'the same state told in another way', () => {
	const reader = { revision: 10, user: null, time: 0 };
	const live = take( nothing(), { event: 'create', rev: 11, user: 'Ann', time: 'T11' }, reader );
	const fetched = events( page( { revisions: [ revision( 11, 'Ann' ) ] } ), shown ).reduce( ( old, event ) => take( old, event, reader ), nothing() );
	assert.equal( isSame( live, fetched ), true );
	assert.equal( isSame( live, nothing() ), false );
	assert.equal( isSame( take( live, { event: 'delete' }, reader ), live ), false );
	assert.equal( isSame( take( live, { event: 'edit', rev: 12 }, reader ), live ), false );
} );
