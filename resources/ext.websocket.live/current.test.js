import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catchUp, events, question } from './current.js';
import { isSame, nothing, renew, say, take } from './news.js';

const shown = { page: 7, name: 'Talk:Some_page', revision: 10 };
const revision = ( revid, user ) => ( { revid, parentid: revid - 1, user, timestamp: 'T' + revid } );
const page = ( members ) => ( { query: { pages: [ Object.assign( { pageid: 7, title: 'Talk:Some page' }, members ) ], logevents: [] } } );
const bar = ( answer, user ) => {
	const reader = { revision: 10, user: user || null, time: 0 };
	const news = ( events( answer, shown ) || [] ).reduce( ( old, event ) => take( old, event, reader ), nothing() );
	return news.event && say( news, ( time ) => time );
};

test( 'one question', () => {
	const asked = question( shown );
	assert.deepEqual( [ asked.action, asked.pageids, asked.letitle ], [ 'query', 7, 'Talk:Some_page' ] );
} );

test( 'a page that is as it was says nothing', () => {
	assert.equal( bar( page( { revisions: [ revision( 10, 'Ann' ), revision( 9, 'Bob' ) ] } ) ), null );
	assert.equal( bar( page( {} ) ), null );
	assert.equal( events( {}, shown ), null, 'it does not say' );
	assert.equal( events( { error: { code: 'readonly' } }, shown ), null );
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

/**
 * @param {function(number): *} answer the wiki's, to each question
 * @return {Object}
 */
function gaps( answer ) {
	const p = { waits: [], told: [], asked: 0, hidden: false, alone: false };
	p.missed = catchUp( {
		shown,
		get: () => {
			const found = answer( ++p.asked );
			return found ? Promise.resolve( found ) : Promise.reject( new Error( 'no answer' ) );
		},
		tell: ( list ) => p.told.push( ...list.map( ( { event, rev } ) => event + rev ) ),
		after: ( run, ms ) => p.waits.push( [ run, ms ] ),
		look: ( run ) => {
			p.looked = run;
			if ( !p.hidden ) {
				run();
			}
		},
		alone: () => p.alone,
		random: () => 0.75
	} );
	p.pass = async () => {
		p.waits.shift()[ 0 ]();
		await null;
		await null;
	};
	return p;
}

const changed = () => page( { revisions: [ revision( 11, 'Ann' ) ] } );

test( 'what is missed twice within a moment is asked for once, each reader at another time', async () => {
	const p = gaps( changed );
	p.missed();
	p.missed();
	assert.deepEqual( [ p.waits.length, p.asked, p.waits[ 0 ][ 1 ] ], [ 1, 0, 22500 ] );
	await p.pass();
	assert.deepEqual( [ p.asked, p.told ], [ 1, [ 'edit11' ] ] );
	p.alone = true;
	p.missed();
	assert.equal( p.waits[ 0 ][ 1 ], 1500 );
	await p.pass();
	assert.equal( p.asked, 2 );
} );

test( 'a wiki that does not answer is asked once more', async () => {
	const p = gaps( ( n ) => n === 2 && changed() );
	p.missed();
	await p.pass();
	assert.deepEqual( p.told, [] );
	await p.pass();
	assert.deepEqual( p.told, [ 'edit11' ] );
	p.missed();
	await p.pass();
	await p.pass();
	assert.deepEqual( [ p.asked, p.waits ], [ 4, [] ] );
	p.missed();
	assert.equal( p.waits.length, 1 );
} );

test( 'an answer that says nothing changes nothing', async () => {
	const p = gaps( () => ( {} ) );
	p.told.push = () => assert.fail( 'told' );
	p.missed();
	await p.pass();
	assert.equal( p.asked, 1 );
} );

test( 'nobody looks at the page: it asks when somebody does', async () => {
	const p = gaps( changed );
	p.hidden = true;
	p.missed();
	await p.pass();
	p.missed();
	assert.deepEqual( [ p.asked, p.waits ], [ 0, [] ] );
	p.looked();
	await null;
	await null;
	assert.deepEqual( [ p.asked, p.told ], [ 1, [ 'edit11' ] ] );
} );

test( 'what the wiki says of a page that the bar tells of already', () => {
	const reader = { revision: 10, user: null, time: 0 };
	const take1 = ( ...list ) => list.reduce( ( old, event ) => take( old, event, reader ), nothing() );
	const edit = { event: 'edit', rev: 11, user: 'Libellous name', time: 'T11' };
	const shownNews = take1( edit );
	const fetch = ( answer ) => take1( ...events( answer, shown ) );
	assert.equal( renew( shownNews, fetch( page( { revisions: [ revision( 11, 'Libellous name' ) ] } ) ) ), null );
	const hidden = renew( shownNews, fetch( page( { revisions: [ Object.assign( revision( 11 ), { userhidden: true } ) ] } ) ) );
	assert.equal( hidden.reworded, true );
	assert.equal( say( hidden.news, ( time ) => time ).key, 'websocket-live-edited-nameless' );
	assert.deepEqual( renew( shownNews, fetch( page( { revisions: [ revision( 12, 'Ann' ) ] } ) ) ).reworded, false );
	const same = page( { revisions: [ revision( 10, 'Bob' ) ] } );
	assert.deepEqual( renew( take1( { event: 'delete', user: 'Ann', time: 'D' } ), fetch( same ) ), { news: nothing(), reworded: false } );
	assert.equal( renew( nothing(), fetch( same ) ), null );
	assert.equal( renew( take1( { event: 'restore', rev: 10, user: 'Ann', time: 'R' } ), fetch( same ) ), null );
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
