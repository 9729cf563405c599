import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Later } from './later.js';

test( 'what is loaded later begins when it is there', async () => {
	const said = [];
	const host = { start: () => said.push( 'start' ), post: ( message ) => said.push( message.op ) };
	const later = new Later( () => Promise.resolve( host ), ( why ) => said.push( why ) );
	later.start();
	later.post( { op: 'hello' } ); // to nobody yet
	await null;
	later.post( { op: 'hello' } );
	later.start(); // the same again
	assert.deepEqual( said, [ 'start', 'hello', 'start' ] );
} );

test( 'what does not load is reported', async () => {
	const said = [];
	new Later( () => Promise.reject( new Error( 'network' ) ), ( why ) => said.push( why ) ).start();
	await null;
	await null;
	assert.deepEqual( said, [ 'the script of the client does not load' ] );
} );
