import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CannotRun, compile } from './wasm.js';

const program = Uint8Array.of( 0, 0x61, 0x73, 0x6d, 1, 0, 0, 0 ); // an empty module
const zipped = gzipSync( program );
const html = new TextEncoder().encode( '<html>' );

/**
 * Serve files.
 *
 * @param {Object} files body and type, or a status, by URL
 * @return {string[]} what was fetched
 */
function serve( files ) {
	const fetched = [];
	globalThis.fetch = ( url ) => {
		fetched.push( url );
		const file = files[ url ];
		if ( file instanceof Error ) {
			return Promise.reject( file );
		}
		return Promise.resolve( file ?
			new Response( file[ 0 ], { headers: { 'Content-Type': file[ 1 ] || 'application/wasm' } } ) :
			new Response( 'not found', { status: 404 } ) );
	};
	return fetched;
}

test( 'the gzipped program is inflated, also when the browser has done so', async () => {
	for ( const body of [ zipped, program ] ) {
		const fetched = serve( { '/x.wasm.gz': [ body, 'application/octet-stream' ] } );
		assert.ok( await compile( '/x.wasm' ) instanceof WebAssembly.Module );
		assert.deepEqual( fetched, [ '/x.wasm.gz' ] );
	}
} );

test( 'a program that comes in pieces is inflated, too', async () => {
	const pieces = Array.from( zipped, ( byte ) => Uint8Array.of( byte ) );
	serve( { '/x.wasm.gz': [ new ReadableStream( {
		pull: ( controller ) => pieces.length ? controller.enqueue( pieces.shift() ) : controller.close()
	} ) ] } );
	assert.ok( await compile( '/x.wasm' ) instanceof WebAssembly.Module );
} );

test( 'without the gzipped program, or what it takes to inflate it, the plain one will do', async () => {
	serve( { '/x.wasm': [ program ] } );
	assert.ok( await compile( '/x.wasm' ) instanceof WebAssembly.Module );
	const { DecompressionStream } = globalThis;
	delete globalThis.DecompressionStream;
	try {
		const fetched = serve( { '/x.wasm': [ program ], '/x.wasm.gz': [ zipped ] } );
		await compile( '/x.wasm' );
		assert.deepEqual( fetched, [ '/x.wasm' ] );
	} finally {
		globalThis.DecompressionStream = DecompressionStream;
	}
} );

test( 'the type that the server gives does not matter', async () => {
	serve( { '/x.wasm': [ program, 'text/plain' ] } );
	assert.ok( await compile( '/x.wasm' ) instanceof WebAssembly.Module );
} );

test( 'what is not there or no program cannot run', async () => {
	for ( const files of [ {}, { '/x.wasm': [ html ] }, { '/x.wasm.gz': [ html ] }, { '/x.wasm.gz': [ new Uint8Array( 0 ) ] } ] ) {
		serve( files );
		await assert.rejects( compile( '/x.wasm' ), CannotRun );
	}
} );

test( 'a network that fails may come back', async () => {
	serve( { '/x.wasm.gz': new TypeError( 'failed to fetch' ) } );
	await assert.rejects( compile( '/x.wasm' ), ( error ) => error instanceof TypeError && !( error instanceof CannotRun ) );
} );
