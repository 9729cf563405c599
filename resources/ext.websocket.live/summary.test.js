import assert from 'node:assert/strict';
import test from 'node:test';
import { fold, formatTime } from './summary.js';

const page = { revision: 10, user: 'Reader' };
const edit = ( rev, user = 'Ada' ) => ( { event: 'edit', page: 1, rev, parent: rev - 1, user, time: '2026-05-04T10:20:30Z' } );

test( 'an edit of somebody else is told, with who and when', () => {
	assert.deepEqual( fold( null, edit( 11 ), page ),
		{ kind: 'edited', count: 1, rev: 11, user: 'Ada', time: '2026-05-04T10:20:30Z', target: '' } );
} );

test( 'what the page already shows, and the own edits, are nothing', () => {
	for ( const msg of [ edit( 10 ), edit( 9 ), edit( 11, 'Reader' ), { event: 'move', user: 'Reader', target: 'X' } ] ) {
		assert.equal( fold( null, msg, page ), null );
	}
} );

test( 'an anonymous reader has no own edits', () => {
	assert.equal( fold( null, edit( 11, '127.0.0.1' ), { revision: 10, user: null } ).user, '127.0.0.1' );
} );

test( 'edits are counted, the same one once', () => {
	let summary = null;
	for ( const rev of [ 11, 12, 12, 11, 13 ] ) {
		summary = fold( summary, edit( rev ), page );
	}
	assert.equal( summary.count, 3 );
	assert.equal( summary.rev, 13 );
} );

test( 'deletion, restoration and move are told as such', () => {
	assert.equal( fold( null, { event: 'delete', user: 'Ada' }, page ).kind, 'deleted' );
	assert.equal( fold( null, { event: 'restore', user: 'Ada' }, page ).kind, 'restored' );
	const moved = fold( fold( null, edit( 11 ), page ), { event: 'move', user: 'Bob', target: 'New_name' }, page );
	assert.deepEqual( [ moved.kind, moved.target, moved.user, moved.count ], [ 'moved', 'New name', 'Bob', 1 ] );
} );

test( 'anything else is nothing', () => {
	for ( const msg of [ null, undefined, 'text', 5, [], {}, { event: 'log' }, { event: 'create' }, { event: 'constructor' }, { event: '__proto__' } ] ) {
		assert.equal( fold( null, msg, page ), null );
	}
} );

test( 'the time is the reader\'s', () => {
	const now = new Date( 2026, 4, 4, 23, 0 );
	const today = new Date( 2026, 4, 4, 14, 5 ).toISOString();
	assert.equal( formatTime( today, 'de', now ), '14:05' );
	assert.match( formatTime( today, 'de', new Date( 2026, 4, 5 ) ), /4\. Mai 2026.*14:05/ );
	assert.notEqual( formatTime( today, 'no such language', now ), '' );
	assert.equal( formatTime( 'yesterday', 'de', now ), '' );
} );
