import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bar } from './bar.js';

// As much of a document as the bar needs.
const page = () => ( {
	createElement: ( name ) => {
		const classes = new Set();
		return {
			name,
			children: [],
			classList: { add: ( c ) => classes.add( c ), remove: ( c ) => classes.delete( c ), contains: ( c ) => classes.has( c ) },
			listeners: {},
			addEventListener( type, listener ) {
				this.listeners[ type ] = listener;
			},
			appendChild( child ) {
				this.children.push( child );
			},
			setAttribute() {}
		};
	}
} );
const make = () => new Bar( page(), { label: 'L', changes: 'C', reload: 'R', dismiss: 'D' }, { page: '/wiki/P', reload() {} } );
const isShown = ( bar ) => bar.root.classList.contains( 'ext-websocket-live-shown' );

test( 'the bar says the same in other words', () => {
	const bar = make();
	bar.show( 'Ann changed this page.', '/diff' );
	bar.reword( 'This page was changed.' );
	assert.equal( bar.status.textContent, 'This page was changed.' );
	assert.equal( bar.changes.href, '/diff' );
	assert.ok( isShown( bar ) );
} );

test( 'a bar that was dismissed stays away', () => {
	const bar = make();
	bar.reword( 'never shown' );
	assert.equal( bar.status.textContent, '' );
	bar.show( 'Ann changed this page.', '' );
	bar.dismiss.listeners.click();
	bar.reword( 'This page was changed.' );
	assert.equal( bar.status.textContent, '' );
	assert.ok( !isShown( bar ) );
} );
